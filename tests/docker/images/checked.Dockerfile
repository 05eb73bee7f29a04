# The sample image with the tests' scripts in both releases.
ARG SAMPLE
FROM ${SAMPLE}
USER 0:0
COPY app /tmp/app
RUN for release in 1 2; do \
	cp /tmp/app/*.php "/srv/app/releases/$release/public/"; \
	sed -i "s/@RELEASE@/$release/g" "/srv/app/releases/$release/public/"*.php; \
    done \
 && chmod -R u=rwX,go=rX /srv/app && chown -hR 1000:1000 /srv/app && rm -r /tmp/app
USER 1000:1000
