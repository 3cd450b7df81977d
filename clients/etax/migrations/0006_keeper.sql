-- clients/rp/keeper has these under names of its own. What the hub has not heard of an end it learns from the next census.
DROP TABLE etax_ended;
DROP TABLE etax_turn;
