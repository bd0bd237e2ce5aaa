# Sealane as a container image: Debian 12, Node.js 20, the supervisor under an init.
#
#   docker build -t sealane .
#   docker run --name pe1 --network host --cgroupns host \
#     --cap-drop ALL --cap-add NET_ADMIN --cap-add NET_RAW --cap-add NET_BIND_SERVICE \
#     --cap-add SYS_ADMIN --cap-add IPC_LOCK --cap-add SYS_NICE --cap-add DAC_OVERRIDE \
#     --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
#     --ulimit memlock=-1 --device /dev/net/tun \
#     -v /etc/sealane:/etc/sealane:ro -v /var/lib/sealane:/var/lib/sealane \
#     -v /run/netns:/run/netns:rshared \
#     sealane
#
#   NET_ADMIN NET_RAW SYS_ADMIN   namespaces, TAPs, AF_PACKET; the worker drops all of them after start
#   IPC_LOCK and memlock          key material and packet buffers are locked in memory
#   /dev/net/tun                  one TAP per interface carries packets to and from the kernel
#   /var/lib/sealane              the committed configuration: survives the container
#   /run/netns                    the namespaces of the VRFs, shared with routing daemons on the host
# A real NIC bound to vfio-pci:   --device /dev/vfio/vfio --device /dev/vfio/GROUP
# Hugepages (made on the host):   -v /dev/hugepages:/dev/hugepages   (without: --no-huge, slower)
# The configuration is /etc/sealane/sealane.config.ts; `docker exec pe1 sealane show tunnels` looks in.

FROM node:20-bookworm-slim AS node

FROM debian:bookworm-slim AS build
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
WORKDIR /src
COPY scripts/packages/build scripts/packages/build
RUN apt-get update -qq \
 && grep -v '^#' scripts/packages/build \
  | DEBIAN_FRONTEND=noninteractive xargs apt-get install -y -qq --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
COPY . .
RUN bash scripts/build.sh \
 && strip build/dpdk-app/sealane-worker \
 && strip --strip-unneeded build/addon/Release/sealane.node \
 && npm prune --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error

FROM debian:bookworm-slim AS runtime
COPY scripts/packages/run /tmp/packages
RUN apt-get update -qq \
 && grep -v '^#' /tmp/packages \
  | DEBIAN_FRONTEND=noninteractive xargs apt-get install -y -qq --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/* /tmp/packages
COPY --from=node /usr/local/bin/node /usr/local/bin/node
WORKDIR /opt/sealane
COPY --from=build /src/package.json package.json
COPY --from=build /src/node_modules node_modules
COPY --from=build /src/build/js build/js
COPY --from=build /src/build/addon/Release/sealane.node build/addon/Release/sealane.node
COPY --from=build /src/build/dpdk-app/sealane-worker build/dpdk-app/sealane-worker
COPY --from=build /src/build/dpdk-app/sealane-filter build/dpdk-app/sealane-filter
COPY proto proto
COPY LICENSE LICENSE
RUN printf '#!/bin/sh\nexec node /opt/sealane/build/js/cli/main.js "$@"\n' >/usr/local/bin/sealane \
 && chmod +x /usr/local/bin/sealane \
 && mkdir -p /etc/sealane /var/lib/sealane
ENV NODE_ENV=production
VOLUME /var/lib/sealane
# The init reaps what either process leaves behind and passes signals on.
ENTRYPOINT ["/usr/bin/tini", "--", "sealane"]
CMD ["run", "/etc/sealane/sealane.config.ts"]
