# One image for every process of syncline; docker-compose.yml says which one each container runs.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
WORKDIR /build
RUN python -m venv /opt/syncline

# First what seldom changes. Wheels only: a package that would have to be compiled ends the build
# here, instead of asking for a compiler.
COPY requirements.lock ./
RUN /opt/syncline/bin/pip install --require-hashes --only-binary :all: -r requirements.lock

COPY pyproject.toml requirements.in README.md LICENSE celeryconfig.py ./
COPY migrations ./migrations
COPY schedules ./schedules
COPY syncline ./syncline
COPY tasks ./tasks
COPY workers ./workers
# Without an index, so that nothing comes in that the lock does not name.
RUN /opt/syncline/bin/pip install --no-deps --no-index --no-build-isolation . \
    && /opt/syncline/bin/pip uninstall --yes pip


FROM python:3.11-slim
LABEL org.opencontainers.image.title="syncline" \
      org.opencontainers.image.description="Keeps HighLevel payments and HaloPSA in line, both ways." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"

# The data folder holds locks and marks that mean nothing after a restart, so it may lie in memory;
# only the anchors of the audit log last, in a volume.
RUN groupadd --system --gid 10001 syncline \
    && useradd --system --uid 10001 --gid syncline --no-create-home \
        --home-dir /var/lib/syncline --shell /usr/sbin/nologin syncline \
    && install --directory --owner syncline --group syncline --mode 0700 \
        /var/lib/syncline /var/lib/syncline/anchors
COPY --from=build /opt/syncline /opt/syncline

ENV PATH=/opt/syncline/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SYNCLINE_DATA=/var/lib/syncline
# A folder that only root can write: Python looks for modules where it is started.
WORKDIR /opt/syncline
USER 10001:10001
STOPSIGNAL SIGTERM
# No HEALTHCHECK: each process has one of its own, and a one-shot command has none.
ENTRYPOINT ["syncline"]
CMD ["--help"]
