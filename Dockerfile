# Only the program, to be copied into other images:   docker build -t twinit .
# The sample site's PHP image with twinit as PID 1:   docker compose up --build
# A builder without BuildKit (Docker before 23) makes every stage up to the one that is asked for.
ARG DEBIAN=bookworm

FROM debian:${DEBIAN}-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
	gcc make libc6-dev libcap-dev libseccomp-dev libhiredis-dev libinih-dev libjansson-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Makefile VERSION ./
COPY src src
RUN make build && strip build/twinit

FROM debian:${DEBIAN}-slim AS php
# For the one program of systemd that php-fpm's package asks for, all of systemd would come.
COPY php-fpm/install /tmp/install
RUN apt-get update \
 && apt-get install -y --no-install-recommends systemd-standalone-tmpfiles \
 && /tmp/install \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /tmp/install

COPY php-fpm/php-fpm.conf /srv/php-fpm/
COPY php-fpm/pool.d /srv/php-fpm/pool.d
COPY php-fpm/conf.d /srv/php-fpm/conf.d
COPY php-fpm/password.d /srv/php-fpm/password.d

# Two releases of the sample app, and the symlink that a deployer moves. A volume on /srv/app begins as a
# copy of this, with its owner: twinit moves `published` there.
COPY php-fpm/app /srv/app/releases/1
RUN cp -R /srv/app/releases/1 /srv/app/releases/2 \
 && for release in 1 2; do \
	find "/srv/app/releases/$release" -type f -exec sed -i "s/@RELEASE@/$release/g" {} +; \
    done \
 && chmod -R u=rwX,go=rX /srv/app /srv/php-fpm \
 && ln -s releases/1 /srv/app/current \
 && install -d -o 1000 -g 1000 /run/twinit \
 && chown -hR 1000:1000 /srv/app

COPY --from=build /src/build/twinit /usr/local/sbin/twinit

# The empty element stands for the distribution's own folder of ini files. DOCROOT is what lets twinit pin
# releases by path where the container may not make mount namespaces, as with Docker's default options.
ENV PHP_INI_SCAN_DIR=:/srv/php-fpm/conf.d \
    REDIS_HOST=redis \
    REDIS_PORT=6379 \
    TWINIT_APP_FPM_CONFIG=/srv/php-fpm/php-fpm.conf \
    TWINIT_APP_RELEASE=/srv/app/current \
    TWINIT_APP_DOCROOT=public \
    TWINIT_APP_PUBLISH=/srv/app/published

USER 1000:1000
EXPOSE 9000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s CMD ["twinit", "health"]
ENTRYPOINT ["twinit"]

# One static file that runs in any image; the last stage, so that it is what a plain `docker build` gives.
FROM scratch AS twinit
COPY --from=build /src/build/twinit /usr/local/sbin/twinit
ENTRYPOINT ["twinit"]
