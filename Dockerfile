# pixelake in a container, for amd64 and arm64. See docs/deploy/docker.md.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/pixelake
WORKDIR /build
# What the lock says, bit by bit, and nothing that would have to be compiled; a layer that changes only with the lock.
COPY requirements.txt ./
RUN /opt/pixelake/bin/pip install --only-binary :all: --require-hashes --requirement requirements.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src ./src
# What installs is not needed to run.
RUN /opt/pixelake/bin/pip install --no-deps --no-build-isolation . \
    && /opt/pixelake/bin/pip uninstall --yes setuptools pip

FROM python:${PYTHON}-slim-bookworm
ARG VERSION=0.1.0.dev0
ARG REVISION=
LABEL org.opencontainers.image.title="pixelake" \
      org.opencontainers.image.description="A tracking pixel you can trust: the GIF answers after the hit is on disk; the lake is yours." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# A new volume gets the owner and mode that the folder has here.
RUN groupadd --gid 10001 pixelake \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin pixelake \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=build /opt/pixelake /opt/pixelake
# The dashboard listens, but only who can reach the container reaches it: do not publish 8081 to everybody.
ENV PATH=/opt/pixelake/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    PIXELAKE_DATA=/data \
    PIXELAKE_COLLECT=0.0.0.0:8080 \
    PIXELAKE_WEB=0.0.0.0:8081
# A pixelake.toml mounted here is read.
WORKDIR /etc/pixelake
VOLUME /data
EXPOSE 8080 8081
USER 10001:10001
# SIGTERM drains; docker waits 10 s before it kills, so let it wait longer: --stop-timeout 30.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["pixelake", "health"]
ENTRYPOINT ["pixelake"]
CMD ["serve"]
