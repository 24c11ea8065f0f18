"""The WSGI entry: ``wsgi:app``; Flask's command line finds it by its name."""

import os

from app import start

app = start(os.environ)
