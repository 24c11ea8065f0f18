# Keyturn's server. The official Python images are built with PGO and LTO, which is worth a sixth of
# the grants a second; 3.11 is what the tests run on.
#
#   docker build -t keyturn .
#   docker run --rm keyturn doctor
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /srv/keyturn
RUN python -m venv .venv
COPY requirements/server.lock requirements/
# Pinned, with hashes, and nothing is compiled: what runs here is what was tested.
RUN .venv/bin/python -m pip install --require-hashes --only-binary :all: -r requirements/server.lock \
 && .venv/bin/python -m pip uninstall --yes pip setuptools
COPY wsgi.py LICENSE ./
COPY migrations migrations
COPY keyturn keyturn
COPY app app
# Nothing can write bytecode later: the root file system is read-only.
RUN .venv/bin/python -m compileall -q app keyturn migrations wsgi.py .venv

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="Keyturn" \
      org.opencontainers.image.description="Turn a key into a token" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --gid 10001 keyturn \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /srv/keyturn --shell /usr/sbin/nologin keyturn
COPY --from=build /srv/keyturn /srv/keyturn
# What may be written, and the mode that named volumes take over; all else belongs to root.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /srv/keyturn/instance /srv/keyturn/keys
WORKDIR /srv/keyturn
ENV PATH=/srv/keyturn/.venv/bin:$PATH \
    FLASK_APP=wsgi.py \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
VOLUME ["/srv/keyturn/instance", "/srv/keyturn/keys"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=2)"]
ENTRYPOINT ["flask"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
