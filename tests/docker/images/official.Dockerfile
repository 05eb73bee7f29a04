# Stands in for php:8-fpm: PHP of Debian's packages, laid out and set up as in that image. No twinit in it.
ARG DEBIAN=bookworm
FROM debian:${DEBIAN}-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends systemd-standalone-tmpfiles php-fpm \
 && apt-get clean && rm -rf /var/lib/apt/lists/*

# Where that image's PHP looks, this one gets to by links: its own paths are compiled in. The prefix decides
# which php-fpm.conf it takes by itself, and twinit finds that file one directory above php.ini.
ENV PHP_INI_DIR=/usr/local/etc/php
RUN fpm=$(echo /usr/sbin/php-fpm?.?) && folder=/etc/php/${fpm#/usr/sbin/php-fpm} \
 && printf '#!/bin/sh\nexec %s --prefix /usr/local "$@"\n' "$fpm" >/usr/local/sbin/php-fpm \
 && chmod 755 /usr/local/sbin/php-fpm \
 && mkdir -p "$PHP_INI_DIR" /usr/local/etc/php-fpm.d \
 && mv "$folder/fpm/conf.d" "$PHP_INI_DIR/" \
 && rm -r "$folder/fpm" \
 && ln -s "$PHP_INI_DIR" "$folder/fpm" \
 && ln -s /usr/local/etc/php-fpm.conf "$folder/php-fpm.conf"

# The settings of that image, file by file.
RUN cd /usr/local/etc \
 && printf '%s\n' '[global]' 'include=/usr/local/etc/php-fpm.d/*.conf' >php-fpm.conf \
 && printf '%s\n' '[www]' 'user = www-data' 'group = www-data' 'pm = dynamic' 'pm.max_children = 5' \
	'pm.start_servers = 2' 'pm.min_spare_servers = 1' 'pm.max_spare_servers = 3' >php-fpm.d/www.conf \
 && printf '%s\n' '[global]' 'error_log = /proc/self/fd/2' 'log_limit = 8192' '[www]' \
	'access.log = /proc/self/fd/2' 'clear_env = no' 'catch_workers_output = yes' 'decorate_workers_output = no' \
	'listen = 9000' >php-fpm.d/docker.conf \
 && printf '%s\n' '[global]' 'daemonize = no' '[www]' >php-fpm.d/zz-docker.conf \
 && echo 'fastcgi.logging = Off' >"$PHP_INI_DIR/conf.d/docker-fpm.ini" \
 && printf '%s\n' '#!/bin/sh' 'set -e' 'case $1 in -*) set -- php "$@" ;; esac' 'exec "$@"' \
	>/usr/local/bin/docker-php-entrypoint \
 && chmod 755 /usr/local/bin/docker-php-entrypoint

ENTRYPOINT ["docker-php-entrypoint"]
WORKDIR /var/www/html
STOPSIGNAL SIGQUIT
EXPOSE 9000
CMD ["php-fpm"]
