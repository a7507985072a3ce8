-- +goose Up
CREATE TABLE users (
	id              INTEGER PRIMARY KEY AUTOINCREMENT,
	name            TEXT NOT NULL,
	email           TEXT NOT NULL UNIQUE,
	idempotency_key TEXT UNIQUE,
	created_at      TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- +goose Down
DROP TABLE users;
