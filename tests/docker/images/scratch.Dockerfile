# Nothing but twinit and the tests' stub in php-fpm's place, both static.
ARG BUILDER
ARG PROGRAM
FROM ${BUILDER} AS build
COPY stub-fpm.c /tmp/
RUN gcc -static -O1 -D_GNU_SOURCE -o /tmp/php-fpm /tmp/stub-fpm.c

FROM ${PROGRAM}
COPY --from=build /tmp/php-fpm /usr/local/sbin/php-fpm
COPY stub /stub
# The stub reads no configuration; twinit wants to see a file.
ENV STUB_DIR=/stub TWINIT_APP_FPM_CONFIG=/stub/dump
