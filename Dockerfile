# One image for the three services: they are one distribution, and the command decides which of them a container is.
# Any mirror can serve the base image: --build-arg PYTHON_IMAGE=mirror.example/python:3.11-slim-bookworm
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
# npm, which the build takes from a wheel, brings certificates of its own; this adds the system's, where a mirror or proxy needs them.
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
COPY pyproject.toml README.md hatch_build.py package.json package-lock.json .npmrc ./
COPY shared shared
COPY code_server code_server
COPY webserver webserver
COPY daemon daemon
# A wheel, so that the final image has neither the sources nor what building needed (npm comes from a wheel, in the build only).
RUN python -m venv /opt/dagwright \
 && /opt/dagwright/bin/pip install --no-cache-dir '.[examples]'
COPY examples examples
RUN FLIGHTS_DATA=/opt/flights-data /opt/dagwright/bin/python examples/flights/fetch.py

FROM ${PYTHON_IMAGE} AS dagwright
ENV PATH=/opt/dagwright/bin:$PATH PYTHONUNBUFFERED=1 DAGWRIGHT_HOME=/var/lib/dagwright
RUN useradd --create-home --uid 1000 dagwright && mkdir -p /var/lib/dagwright && chown dagwright:dagwright /var/lib/dagwright
COPY --from=build /opt/dagwright /opt/dagwright
USER dagwright
WORKDIR /home/dagwright
CMD ["dagwright", "--help"]

# A user's code server: the image above and the project. This one has the flights example.
FROM dagwright AS flights
ENV FLIGHTS_DATA=/opt/flights-data
COPY --from=build /opt/flights-data /opt/flights-data
COPY examples/flights /home/dagwright/flights
CMD ["dagwright", "code-server", "-f", "flights/definitions.py"]
