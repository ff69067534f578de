create type public.raw;
create function public.raw_in(cstring) returns public.raw
  language internal immutable strict as 'int4in';
create function public.raw_in_2(cstring) returns public.raw
  language internal immutable strict as 'int4in';
create function public.raw_out(public.raw) returns cstring
  language internal immutable strict as 'int4out';
create function public.raw_out_2(public.raw) returns cstring
  language internal immutable strict as 'int4out';
create function public.raw_receive(internal) returns public.raw
  language internal immutable strict as 'int4recv';
create function public.raw_send(public.raw) returns bytea
  language internal immutable strict as 'int4send';
create type public.raw (input = public.raw_in, output = public.raw_out, like = int4);
