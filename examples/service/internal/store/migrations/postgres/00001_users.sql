-- +goose Up
CREATE TABLE users (
	id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name            text NOT NULL,
	email           text NOT NULL UNIQUE,
	idempotency_key text UNIQUE,
	created_at      timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE users;
