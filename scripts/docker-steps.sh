#!/usr/bin/env bash
# Carries out the steps of the Dockerfile where no container engine runs: each stage is a folder,
# its base is made by debootstrap, and RUN happens in a chroot (with its own mount and PID
# namespace). Proves that the steps work on a plain Debian 12; it does not make an image.
#
#   scripts/docker-steps.sh [--keep] [folder]     default: a new folder under build/docker
#
# Where the image node:20-* is not to be had, Node.js is taken from this machine.
# Ends by starting the product of the last stage (`sealane --version` and the worker's `--version`).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
keep=no
[ "${1:-}" = --keep ] && keep=yes && shift
[ "$(id -u)" = 0 ] || {
  echo "docker-steps: needs root (chroot)" >&2
  exit 1
}
command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap

mkdir -p "$root/build/docker"
work=${1:-$(mktemp -d "$root/build/docker/run.XXXXXX")}
mkdir -p "$work"
say() { echo "docker-steps: $*" >&2; }
cleanup() { [ "$keep" = yes ] && say "kept: $work" || rm -rf --one-file-system "$work"; }
trap cleanup EXIT

declare -A stage_env
stage='' dir='' cwd=/ entrypoint=''

# The build context: what the Dockerfile can COPY, as .dockerignore leaves it.
context=$work/context
copy_context() {
  mkdir -p "$context"
  if git -C "$root" rev-parse >/dev/null 2>&1; then
    git -C "$root" ls-files -z --cached --others --exclude-standard |
      (cd "$root" && xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' _) |
      tar -C "$root" --null -T - -cf - | tar -C "$context" -xf -
  else
    tar -C "$root" -X "$root/.dockerignore" -cf - . | tar -C "$context" -xf -
  fi
}

# A base is bootstrapped once and kept as a tar file for the next run.
debian_base() {
  local release=$1 into=$2 tar=$root/build/docker/debian-$1.tar
  if [ ! -e "$tar" ]; then
    say "bootstrapping Debian $release"
    local base
    base=$(mktemp -d "$root/build/docker/base.XXXXXX")
    debootstrap --variant=minbase "$release" "$base" >"$base.log" 2>&1 || {
      tail "$base.log" >&2
      exit 1
    }
    rm -f "$base"/var/cache/apt/archives/*.deb "$base.log"
    tar -C "$base" -cf "$tar.new" . && mv "$tar.new" "$tar"
    rm -rf --one-file-system "$base"
  fi
  tar -C "$into" -xf "$tar"
}

node_base() { # what the stages take from the Node image
  local npm
  npm=$(cd "$(dirname "$(readlink -f "$(command -v npm)")")/.." && pwd)
  mkdir -p "$1/usr/local/bin" "$1/usr/local/lib/node_modules"
  cp "$(readlink -f "$(command -v node)")" "$1/usr/local/bin/node"
  cp -r "$npm" "$1/usr/local/lib/node_modules/npm"
}

step_from() { # IMAGE AS NAME
  stage=$3 dir=$work/$3 cwd=/
  mkdir -p "$dir"
  stage_env[$stage]=''
  case $1 in
    debian:*) image=${1#debian:} && debian_base "${image%-slim}" "$dir" ;;
    node:*) node_base "$dir" ;;
    *) say "no base for $1" && exit 1 ;;
  esac
}

step_copy() { # [--from=STAGE] SOURCE... TARGET
  local from=$context
  if [[ $1 == --from=* ]]; then
    from=$work/${1#--from=}
    shift
  fi
  local target=${!#} sources=("${@:1:$#-1}") source
  case $target in /*) ;; *) target=$cwd/$target ;; esac
  target=$dir$target
  for source in "${sources[@]}"; do
    source=$from/${source#/}
    if [ -d "$source" ]; then
      mkdir -p "$target" && cp -a "$source/." "$target/"
    elif [[ $target == */ || $target == */. || ${#sources[@]} -gt 1 ]]; then
      mkdir -p "$target" && cp -a "$source" "$target/"
    else
      mkdir -p "$(dirname "$target")" && cp -a "$source" "$target"
    fi
  done
}

# A container gets name service and trusted certificates from its engine; so does the chroot.
in_chroot() {
  cp -L /etc/resolv.conf "$dir/etc/resolv.conf"
  local variables=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root)
  local name ca=/etc/ssl/certs/ca-certificates.crt
  for name in http_proxy https_proxy no_proxy; do
    [ -z "${!name:-}" ] || variables+=("$name=${!name}")
  done
  if [ -e "$ca" ] && [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then
    cp -L "$ca" "$dir/tmp/host-ca.crt"
    variables+=(NODE_EXTRA_CA_CERTS=/tmp/host-ca.crt)
  fi
  # shellcheck disable=SC2206  # NAME=VALUE words of ENV
  variables+=(${stage_env[$stage]})
  # shellcheck disable=SC2016
  unshare --mount --pid --fork --kill-child \
    sh -c 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && cd "$1" && shift &&
      exec chroot . "$@"' _ "$dir" env -i "${variables[@]}" "${@}"
  rm -f "$dir/tmp/host-ca.crt"
}

step_run() { in_chroot sh -ec "cd '$cwd' && $1" </dev/null >&2; }

json_words() { node -p 'JSON.parse(process.argv[1]).join(" ")' "$1"; }

one_step() {
  local word=$1 rest=$2
  say "$stage: $word ${rest:0:100}"
  local words
  read -ra words <<<"$rest"
  case $word in
    FROM) step_from "${words[@]}" ;;
    COPY) step_copy "${words[@]}" ;;
    RUN) step_run "$rest" ;;
    WORKDIR) cwd=$rest && mkdir -p "$dir$rest" ;;
    ENV) stage_env[$stage]+=" $rest" ;;
    ENTRYPOINT) entrypoint=$(json_words "$rest") ;;
    CMD | VOLUME | EXPOSE | LABEL) ;;
    *) say "unknown instruction $word" && exit 1 ;;
  esac
}

copy_context
line=''
while IFS= read -r part; do
  [[ -n $line || ! $part =~ ^[[:space:]]*(#|$) ]] || continue
  if [[ $part == *\\ ]]; then
    line+="${part%\\} "
    continue
  fi
  line+=$part
  one_step "${line%% *}" "${line#* }"
  line=''
done <"$root/Dockerfile"

say "starting the product: $entrypoint"
# shellcheck disable=SC2086
in_chroot $entrypoint --version
in_chroot sh -c 'ldd /opt/sealane/build/dpdk-app/sealane-worker | grep "not found" && exit 1; exit 0'
in_chroot node -e "require('/opt/sealane/build/addon/Release/sealane.node')"
say "done: $(du -sh "$dir" | cut -f1) in the last stage"
