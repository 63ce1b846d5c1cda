# One image for every service; docker-compose.yml says which command each container runs.
FROM python:3.11-slim-bookworm AS build
COPY . /src
RUN python -m venv /opt/baliza \
 && /opt/baliza/bin/pip install --no-cache-dir --constraint /src/constraints.txt /src

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin baliza \
 && install --directory --owner=10001 --group=10001 --mode=0750 \
    /var/lib/baliza /var/lib/baliza/models /var/lib/baliza/secrets
COPY --from=build /opt/baliza /opt/baliza
ENV PATH=/opt/baliza/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    BALIZA_DATA_DIR=/var/lib/baliza
WORKDIR /var/lib/baliza
USER 10001:10001
CMD ["baliza", "--help"]
