#!/usr/bin/env bash
# Makes the TypeScript of proto/*.proto in src/rpc/gen/. Does nothing when it is up to date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=src/rpc/gen
stamp=$out/.stamp
shopt -s nullglob
protos=(proto/*.proto)
if [ ${#protos[@]} -eq 0 ]; then
  echo "gen: no proto/*.proto yet" >&2
  exit 0
fi

# What the output depends on: the protos, this script and the generator's version.
now=$(cat "${protos[@]}" scripts/gen.sh node_modules/ts-proto/package.json | sha256sum)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$now" ] && exit 0

# Enums become const objects (erasable syntax); 64-bit integers are bigint; a oneof is a union
# discriminated by $case, so that a switch over it is checked for completeness.
opts=esModuleInterop=true,importSuffix=.js,env=node,forceLong=bigint,oneof=unions-value
opts+=,enumsAsLiterals=true,useOptionals=none,useExactTypes=false,exportCommonSymbols=false
opts+=,outputJsonMethods=false,outputPartialMethods=true,outputTypeRegistry=false
opts+=,outputServices=grpc-js,outputIndex=false,useDate=false

tmp=$(mktemp -d build/gen.XXXXXX 2>/dev/null || { mkdir -p build && mktemp -d build/gen.XXXXXX; })
trap 'rm -rf "$tmp"' EXIT
protoc --plugin=protoc-gen-ts_proto=node_modules/.bin/protoc-gen-ts_proto \
  --ts_proto_opt="$opts" --ts_proto_out="$tmp" --proto_path=proto "${protos[@]}"
rm -rf "$out"
mkdir -p "$out"
cp -r "$tmp"/. "$out"/
printf '%s\n' "$now" >"$stamp"
echo "gen: $out ($(basename -a "${protos[@]}" | paste -sd' '))" >&2
