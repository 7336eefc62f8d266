#!/usr/bin/env bash
# The steps of a release. DATABASE_URL names the database of the step: production, staging, production.
set -euo pipefail

review() {
  local code=0
  npx knex-pgvector status --exit-code || code=$?
  case $code in
    0) echo 'Nothing to release' ;;
    3) npx knex-pgvector plan --script | tee release.sql ;;
    *) return "$code" ;;
  esac
}

rehearse() {
  npx knex-pgvector rehearse --lock-timeout 2s
}

deploy() {
  npx knex-pgvector up --wait 5m
  npx knex-pgvector status --exit-code
}

case "${1:-}" in
  review | rehearse | deploy) "$1" ;;
  *)
    echo 'usage: bash release.sh review | rehearse | deploy' >&2
    exit 64
    ;;
esac
