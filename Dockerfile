# The service: docker build -t livekit-dispatcher .
# The sample agent of docker-compose.yml: docker build --target agent .

FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY rules ./rules
COPY workers ./workers
COPY service ./service
RUN pip wheel --no-cache-dir --wheel-dir /wheels . \
 && python -m venv --without-pip /opt/dispatcher \
 && pip --python /opt/dispatcher/bin/python install --no-cache-dir --no-index --find-links /wheels livekit-dispatcher


FROM python:3.12-slim AS agent
RUN pip install --no-cache-dir "livekit-agents>=1.8.9" \
 && useradd --create-home --uid 10001 agent
USER 10001
WORKDIR /home/agent


FROM python:3.12-slim
COPY --from=build /opt/dispatcher /opt/dispatcher
RUN useradd --create-home --uid 10001 dispatcher \
 && install --directory --owner 10001 --mode 700 /var/lib/livekit-dispatcher
USER 10001
WORKDIR /home/dispatcher
# A container is reached from outside itself only. DISPATCHER_DATA is used where there is no
# REDIS_URL: mount a volume there.
ENV PATH=/opt/dispatcher/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DISPATCHER_HOST=0.0.0.0 \
    DISPATCHER_DATA=/var/lib/livekit-dispatcher
EXPOSE 8080
# No HEALTHCHECK here: `serve` answers /readyz, `worker` listens to nobody. docker-compose.yml has it.
ENTRYPOINT ["dispatcher"]
CMD ["--help"]
