# The checked image with the attempts of hostile code in both releases, and programs by which it may want to gain power.
ARG BUILDER
ARG CHECKED
FROM ${BUILDER} AS attempts
COPY attempts.c /
RUN gcc -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -static -o /attempts /attempts.c

FROM ${CHECKED}
USER 0:0
COPY attempt.php /tmp/
COPY --from=attempts /attempts /usr/local/bin/attempts-setuid
RUN for release in 1 2; do \
	install -m 755 -o 1000 -g 1000 /usr/local/bin/attempts-setuid "/srv/app/releases/$release/attempts"; \
	install -m 644 -o 1000 -g 1000 /tmp/attempt.php "/srv/app/releases/$release/public/"; \
    done \
 && cd /usr/local/bin && cp attempts-setuid attempts-setgid && cp attempts-setuid attempts-capable \
 && chmod 4755 attempts-setuid && chmod 2755 attempts-setgid && ./attempts-capable --enable attempts-capable \
 && rm /tmp/attempt.php
USER 1000:1000
