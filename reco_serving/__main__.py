"""``python -m reco_serving``: the service in the foreground."""

from __future__ import annotations

import sys

from reco_assets.errors import RecoError
from reco_assets.platform.settings import Settings
from reco_serving.run import serve

if __name__ == "__main__":
    try:
        serve(Settings())
    except RecoError as error:
        sys.exit(f"error: {error.message}\nhint: {error.hint}")
