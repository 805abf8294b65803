"""From a click to every table: micro-batches over the stream, whose cost follows the new events."""
