"""What the Supabase CLI runs: both lanes as the migrations of `supabase/migrations/`."""
