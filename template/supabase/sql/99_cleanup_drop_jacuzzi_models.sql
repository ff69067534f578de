-- Here for databases that have the left-over test table jacuzzi_models; without it, this file may go,
-- and its line in supabase/bootstrap.txt with it.
--
-- Without cascade, on purpose: should anything have come to depend on the table, then it is not a
-- leftover any more, and this file fails and says what depends on it, rather than take that along.
--
-- Safe to run again.

set local client_min_messages = warning; -- "does not exist, skipping" is not news

drop table if exists public.jacuzzi_models;
