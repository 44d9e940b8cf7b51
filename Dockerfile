# The service: docker build -t livekit-dispatcher .
# The sample agent of docker-compose.yml: docker build --target agent .
#
# This tag takes the fixes of Python 3.12 and Debian as they come. Where a build must be the same a
# year from now, name the image by its digest: docker build --build-arg PYTHON=python@sha256:… .
ARG PYTHON=python:3.12-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /src
# What it depends on comes first: that layer stays while only the service changes. `make constraints`
# writes the file; whatever is downloaded has a hash that stands in it.
COPY service/constraints.hashed.txt ./
RUN pip wheel --no-cache-dir --only-binary :all: --require-hashes --wheel-dir /wheels \
      --requirement constraints.hashed.txt
COPY pyproject.toml README.md LICENSE ./
COPY rules ./rules
COPY workers ./workers
COPY service ./service
# From here on nothing is downloaded: versions are those of /wheels.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir --no-index --find-links /wheels hatchling \
 && pip wheel --no-cache-dir --no-index --no-build-isolation --no-deps --wheel-dir /wheels . \
 && python -m venv --without-pip /opt/dispatcher \
 && pip --python /opt/dispatcher/bin/python install --no-cache-dir --no-index --find-links /wheels \
      livekit-dispatcher


FROM ${PYTHON} AS agent
COPY service/constraints.txt /tmp/
# hadolint ignore=DL3013
RUN pip install --no-cache-dir --constraint /tmp/constraints.txt livekit-agents \
 && useradd --create-home --uid 10001 agent
ENV PYTHONDONTWRITEBYTECODE=1
USER 10001
WORKDIR /home/agent


FROM ${PYTHON}
LABEL org.opencontainers.image.title="livekit-dispatcher" \
      org.opencontainers.image.description="Sends the right voice agent to the right LiveKit room, once" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/dispatcher /opt/dispatcher
RUN useradd --no-create-home --home-dir /nonexistent --uid 10001 dispatcher \
 && install --directory --owner 10001 --mode 700 /var/lib/livekit-dispatcher
# Rules are read from rules.yaml here, where DISPATCHER_RULES does not say otherwise.
WORKDIR /etc/livekit-dispatcher
USER 10001
# A container is reached from outside itself only. The root file system may be read-only: nothing is
# written but DISPATCHER_DATA, and that by `up` alone, where there is no REDIS_URL: mount a volume there.
ENV PATH=/opt/dispatcher/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DISPATCHER_HOST=0.0.0.0 \
    DISPATCHER_DATA=/var/lib/livekit-dispatcher
EXPOSE 8080
# No HEALTHCHECK here: `serve` and `worker` have one each, in docker-compose.yml.
ENTRYPOINT ["dispatcher"]
CMD ["--help"]
