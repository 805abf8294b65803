"""Streams of records: one protocol, over Redis Streams, Kafka and Kinesis."""
