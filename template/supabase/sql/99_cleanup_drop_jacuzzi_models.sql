-- Drops public.jacuzzi_models, a test table that was left behind.
--
-- Without cascade, on purpose: should anything have come to depend on the table, then it is not a
-- leftover any more, and this file fails and says what depends on it, rather than take that along.
--
-- Safe to run again.

set local client_min_messages = warning; -- "does not exist, skipping" is not news

drop table if exists public.jacuzzi_models;
