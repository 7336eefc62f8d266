#!/usr/bin/env bash
# The steps of a release. DATABASE_URL names the database of the step: a new one, staging, production.
set -euo pipefail

review() {
  local code=0
  npx knex-pgvector status --exit-code || code=$?
  case $code in
    0) echo 'Nothing to release' ;;
    3) npx knex-pgvector plan ;;
    *) return "$code" ;;
  esac
}

# For a database administrator, who runs it with psql. It may hold passwords that migrations set.
script() {
  umask 077
  npx knex-pgvector plan --script > release.sql
}

rehearse() {
  npx knex-pgvector rehearse --lock-timeout 2s
}

deploy() {
  npx knex-pgvector up --wait 5m
  npx knex-pgvector status --exit-code
}

case "${1:-}" in
  review | script | rehearse | deploy) "$1" ;;
  *)
    echo 'usage: bash release.sh review | script | rehearse | deploy' >&2
    exit 64
    ;;
esac
