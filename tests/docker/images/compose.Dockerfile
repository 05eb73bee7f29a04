# docker-compose as each Debian release has it: 1.29 in bookworm, Compose v2 in trixie.
ARG DEBIAN
FROM debian:${DEBIAN}-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends docker-compose \
 && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["docker-compose"]
