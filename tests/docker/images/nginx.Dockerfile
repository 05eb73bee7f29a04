# Stands in for nginx:stable where no registry answers: nginx of Debian's package, with what the project uses of
# that image: templates of /etc/nginx/templates filled in at the start, temporary files in /var/cache/nginx, logs on
# stdout and stderr, curl, SIGQUIT.
FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends nginx gettext-base curl \
 && rm -rf /var/lib/apt/lists/* /etc/nginx/sites-enabled/* \
 && rmdir /var/lib/nginx && mkdir /var/cache/nginx && ln -s /var/cache/nginx /var/lib/nginx \
 && ln -sf /dev/stdout /var/log/nginx/access.log \
 && ln -sf /dev/stderr /var/log/nginx/error.log
RUN printf '%s\n' '#!/bin/sh' 'set -eu' \
	'names=$(env | sed -n "s/^\([A-Z_]*\)=.*/\${\1} /p")' \
	'for template in /etc/nginx/templates/*.template; do' \
	'	[ -e "$template" ] || continue' \
	'	name=${template##*/}' \
	'	envsubst "$names" <"$template" >"/etc/nginx/conf.d/${name%.template}"' \
	'done' \
	'exec "$@"' >/docker-entrypoint.sh \
 && chmod 755 /docker-entrypoint.sh
EXPOSE 80
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["nginx", "-g", "daemon off;"]
