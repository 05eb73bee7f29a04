# Stands in for php:8-fpm-alpine: busybox and musl, and a php-fpm that is the tests' stub linked with that musl,
# laid out as in that image. There is no glibc in it, and no twinit.
ARG BUILDER
FROM ${BUILDER} AS build
RUN apt-get update && apt-get install -y --no-install-recommends musl-tools busybox-static
WORKDIR /root/image
COPY stub-fpm.c /tmp/
COPY stub stub
RUN mkdir -p bin lib tmp etc usr/local/sbin usr/local/bin usr/local/etc/php var/www/html \
 && cp /bin/busybox bin/ \
 && for name in sh ls cat id; do ln -s busybox "bin/$name"; done \
 && cp -L /lib/ld-musl-*.so.1 lib/ \
 && musl-gcc -O1 -D_GNU_SOURCE -o usr/local/sbin/php-fpm /tmp/stub-fpm.c \
 && echo '; read by nobody' >usr/local/etc/php-fpm.conf \
 && printf '%s\n' root:x:0:0:root:/root:/bin/sh www-data:x:82:82::/home/www-data:/sbin/nologin >etc/passwd \
 && printf '%s\n' root:x:0: www-data:x:82: >etc/group \
 && printf '%s\n' '#!/bin/sh' 'set -e' 'exec "$@"' >usr/local/bin/docker-php-entrypoint \
 && chmod -R go=rX . && chmod 1777 tmp && chmod 755 usr/local/bin/*

FROM scratch
COPY --from=build /root/image /
ENV STUB_DIR=/stub
ENTRYPOINT ["docker-php-entrypoint"]
WORKDIR /var/www/html
STOPSIGNAL SIGQUIT
EXPOSE 9000
CMD ["php-fpm"]
