-- tie is the random name of the act in which the box was opened, by which the hub and this service know that they mean the same one. Of boxes
-- that were closed, clients/rp/keeper tells the hub.
ALTER TABLE postbox_box ADD COLUMN tie text NOT NULL DEFAULT '';
DROP TABLE postbox_closing;
