# The image is built from the sources alone: docker build -t berth .
ARG RUST=rust:1.95-slim-trixie
# The base needs the C library of Debian 13 or newer, and bash for the health check.
ARG BASE=debian:trixie-slim

FROM ${RUST} AS build
# The C compiler is for SQLite and ring, which are compiled in.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY crates crates
COPY xtask xtask
RUN cargo build --release --locked --package berth

FROM ${BASE}
# For `berth import` from registries with public certificates.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/target/release/berth /usr/local/bin/berth
# The folder is made here so that a volume takes over its owner.
RUN install -d -o 10001 -g 10001 -m 700 /var/lib/berth
USER 10001:10001
ENV BERTH_STORAGE__DATA_DIR=/var/lib/berth \
    BERTH_SERVER__LISTEN=0.0.0.0:5000
VOLUME /var/lib/berth
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5000 && printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && test \"$status\" = 200"]
ENTRYPOINT ["berth"]
CMD ["serve"]
