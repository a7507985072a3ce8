-- SQLite is for trying out the service, so there is a user to look up.

-- +goose Up
INSERT INTO users (id, name, email) VALUES (123, 'Ada', 'ada@example.org');

-- +goose Down
DELETE FROM users WHERE id = 123;
