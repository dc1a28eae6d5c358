# Onsale in two stages on Debian slim (the PostgreSQL and Valkey wheels need glibc, so no Alpine).
# Without DATABASE_URL and REDIS_URL the container runs both itself, on the volume; with them it
# is a node of a larger house. See config/compose.yaml.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-bookworm AS build
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/onsale \
 && /opt/onsale/bin/pip install --quiet --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY app app
COPY config config
COPY core core
COPY seatmap seatmap
COPY static static
COPY waiting_room waiting_room
RUN /opt/onsale/bin/pip install --quiet --no-index --no-deps --no-build-isolation . \
 && mkdir /src/data

FROM python:${PYTHON}-slim-bookworm
# PostgreSQL's initdb wants its user to have an account.
RUN useradd --no-create-home --uid 1001 --home-dir /var/lib/onsale --shell /usr/sbin/nologin onsale
COPY --from=build /opt/onsale /opt/onsale
COPY --from=build --chown=onsale --chmod=700 /src/data /var/lib/onsale
ENV PATH=/opt/onsale/bin:$PATH PYTHONUNBUFFERED=1 ONSALE_HOST=0.0.0.0 ONSALE_PORT=8000
WORKDIR /var/lib/onsale
VOLUME /var/lib/onsale
EXPOSE 8000
USER onsale
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['ONSALE_PORT'] + '/health/ready', timeout=4)"]
CMD ["onsale", "serve"]
