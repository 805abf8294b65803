"""What others have published about the public files, or was measured elsewhere: listed, not run here.

The papers' figures are of the same splits, with all items ranked; Gorse's of the same log, split and
definitions of the questions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Figures = Mapping[str, float]

#: By data set and name, figures as the JSON of ``python -m benchmarks.quality all`` calls them.
LISTED: Final[Mapping[str, Mapping[str, Figures]]] = {
    "diginetica": {
        "GCE-GNN": {"P@20": 0.5422, "MRR@20": 0.1904},
        "a plain co-visitation table with repeats": {"P@20": 0.480, "MRR@20": 0.131},
    },
    "amazon_beauty": {
        "S3-Rec": {"HR@10": 0.0647, "NDCG@10": 0.0327},
        "SASRec": {"HR@10": 0.0605, "NDCG@10": 0.0318},
        "BERT4Rec": {"HR@10": 0.0347, "NDCG@10": 0.0170},
        "GRU4Rec": {"HR@10": 0.0283, "NDCG@10": 0.0137},
        "PopRec": {"HR@10": 0.0152, "NDCG@10": 0.0068},
    },
    "ml_1m": {
        "LightGCN++": {"Recall@10": 0.1667, "NDCG@10": 0.3243, "NDCG@20": 0.3275},
        "LightGCN": {"Recall@10": 0.1495, "NDCG@10": 0.2977, "NDCG@20": 0.3010},
        "BPR-MF": {"Recall@10": 0.1291, "NDCG@10": 0.2677},
    },
    "tmall2014": {
        "Gorse 0.5.11 at its best of many settings": {
            "purchases.recall@20": 0.0943,
            "purchases.ndcg@20": 0.0528,
            "discovery.recall@20": 0.0543,
            "discovery.ndcg@20": 0.0717,
        },
        "Gorse 0.5.11 by default": {
            "purchases.recall@20": 0.032,
            "purchases.ndcg@20": 0.016,
            "discovery.recall@20": 0.0485,
            "discovery.ndcg@20": 0.0652,
        },
    },
}
