# hookledger with all that its roles need: `docker build -t hookledger .`, or by compose.yaml, which runs one of each.
# docs/operating.md says how to run it.

ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /build
COPY setup.cfg pyproject.toml README.md LICENSE hookledger.py ./
COPY core core
COPY delivery delivery
COPY plugins plugins
# What is installed is built wheels only: nothing is compiled, here or in the image.
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /build/wheel . \
    && python -m venv --without-pip /opt/hookledger \
    && set -- /build/wheel/hookledger-*.whl \
    && python -m pip --python /opt/hookledger/bin/python install --no-cache-dir --only-binary :all: "$1[kafka,postgres]"

FROM python:${PYTHON}
RUN groupadd --gid 10001 hookledger \
    && useradd --uid 10001 --gid hookledger --home-dir /var/lib/hookledger --no-create-home --shell /usr/sbin/nologin hookledger \
    && install -d -o hookledger -g hookledger -m 0700 /var/lib/hookledger
COPY --from=build /opt/hookledger /opt/hookledger
ENV PATH=/opt/hookledger/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOOKLEDGER_DATA=/var/lib/hookledger \
    HOOKLEDGER_HOST=0.0.0.0 \
    HOOKLEDGER_PORT=8420
USER 10001:10001
VOLUME /var/lib/hookledger
EXPOSE 8420
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen(f\"http://127.0.0.1:{os.environ['HOOKLEDGER_PORT']}/health/live\", timeout=4)"]
ENTRYPOINT ["hookledger"]
CMD ["serve"]
