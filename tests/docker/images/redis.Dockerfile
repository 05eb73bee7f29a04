# Stands in for redis:7 where no registry answers: Redis of Debian's package, with what the project uses of that
# image: /data as working directory and volume, run as redis, redis-cli.
FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends redis-server redis-tools util-linux \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -o redis -g redis /data
RUN printf '%s\n' '#!/bin/sh' 'set -eu' \
	'if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then' \
	'	chown -R redis:redis /data' \
	'	exec setpriv --reuid=redis --regid=redis --clear-groups -- "$0" "$@"' \
	'fi' \
	'exec "$@"' >/usr/local/bin/docker-entrypoint.sh \
 && chmod 755 /usr/local/bin/docker-entrypoint.sh
VOLUME /data
WORKDIR /data
EXPOSE 6379
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["redis-server", "--protected-mode", "no"]
