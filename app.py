"""The browser app: `python app.py` opens it, and a Hugging Face Space runs this file as it is.

The first start imports and indexes the sample collection, later ones reuse it. Settings are environment variables:
MDR_PORT, MDR_HOST, MDR_HOME and the others in `mdr/settings.py`. `mdr demo` is the same.
"""

import sys

from mdr.cli import app

if __name__ == "__main__":
    app(["demo", *sys.argv[1:]])
