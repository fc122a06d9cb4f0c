-- The registration database of the lab.  Variables set by golden.py: rows, app_password,
-- reader_password, repl_password.
-- A parcel carries rights; a case is accepted, registered and ends in a certificate printed on a
-- numbered form.  receipt_no is the order of acceptance, and that order is the order of rights.
\set ON_ERROR_STOP on

CREATE ROLE app LOGIN PASSWORD :'app_password';
CREATE ROLE dr_reader LOGIN PASSWORD :'reader_password' IN ROLE pg_monitor, pg_read_all_data;
CREATE ROLE repl LOGIN REPLICATION PASSWORD :'repl_password';
GRANT EXECUTE ON FUNCTION pg_create_physical_replication_slot(name, boolean, boolean) TO repl;

CREATE DATABASE registry OWNER postgres;
\connect registry

-- lets a recovery check the standby's tables and indexes before it trusts them
CREATE EXTENSION amcheck;

CREATE TABLE branch (
  branch  text PRIMARY KEY,
  name_en text NOT NULL,
  name_zh text NOT NULL
);

CREATE TABLE parcel (
  parcel_no       text PRIMARY KEY,
  district        text NOT NULL,
  address         text NOT NULL,
  area_m2         numeric(12, 2) NOT NULL CHECK (area_m2 > 0),
  land_use        text NOT NULL CHECK (land_use IN ('residential', 'commercial', 'industrial', 'public', 'test'))
);

CREATE SEQUENCE receipt_seq;
CREATE SEQUENCE certificate_seq;

CREATE TABLE registration (
  receipt_no    bigint PRIMARY KEY DEFAULT nextval('receipt_seq'),
  branch        text NOT NULL REFERENCES branch,
  slip          text NOT NULL,                       -- the branch's own number of the paper slip
  clerk         text NOT NULL,
  parcel_no     text NOT NULL REFERENCES parcel,
  kind          text NOT NULL CHECK (kind IN ('first', 'transfer', 'mortgage', 'discharge', 'test')),
  accepted_at   timestamptz NOT NULL,                -- by the branch's clock
  registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  holder        text NOT NULL DEFAULT '',            -- who gets the right; several are joined by 、
  amount        numeric(14, 2),                      -- price or sum secured, in yuan; NULL: none
  status        text NOT NULL DEFAULT 'accepted' CHECK (status IN ('accepted', 'registered', 'issued', 'void')),
  CONSTRAINT registration_slip_once UNIQUE (branch, slip)
);
CREATE INDEX registration_parcel ON registration (parcel_no);
CREATE INDEX registration_registered_at ON registration (registered_at);

CREATE TABLE property_right (
  right_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  parcel_no  text NOT NULL REFERENCES parcel,
  receipt_no bigint NOT NULL REFERENCES registration,
  holder     text NOT NULL,
  share      numeric(5, 4) NOT NULL DEFAULT 1 CHECK (share > 0 AND share <= 1)
);
CREATE INDEX property_right_parcel ON property_right (parcel_no);

CREATE TABLE mortgage (
  mortgage_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  parcel_no   text NOT NULL REFERENCES parcel,
  receipt_no  bigint NOT NULL REFERENCES registration,
  creditor    text NOT NULL,
  amount      numeric(14, 2) NOT NULL CHECK (amount > 0)
);
CREATE INDEX mortgage_parcel ON mortgage (parcel_no);

CREATE TABLE certificate (
  -- as printed on the form; branches take forms of their own stock, the sequence is the centre's
  serial     bigint PRIMARY KEY DEFAULT nextval('certificate_seq'),
  receipt_no bigint NOT NULL REFERENCES registration,
  parcel_no  text NOT NULL REFERENCES parcel,
  issued_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  voided_at  timestamptz
);
CREATE INDEX certificate_receipt ON certificate (receipt_no);

-- Which business is open.  Exactly one row.
CREATE TABLE service_state (
  single     boolean PRIMARY KEY DEFAULT true CHECK (single),
  stage      text NOT NULL CHECK (stage IN ('read_only', 'held', 'full')),
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO service_state (stage) VALUES ('full');

-- Parcels on which nothing may be registered until somebody releases them.
CREATE TABLE parcel_hold (
  parcel_no   text NOT NULL,
  reason      text NOT NULL DEFAULT '',
  placed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  released_at timestamptz,
  released_by text
);
CREATE UNIQUE INDEX parcel_hold_open ON parcel_hold (parcel_no) WHERE released_at IS NULL;

-- The stage binds everybody but the superuser, who is the recovery itself.
CREATE FUNCTION refuse_when_not_open() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
  now_open text;
BEGIN
  IF (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN
    RETURN NEW;
  END IF;
  SELECT stage INTO STRICT now_open FROM service_state;
  IF now_open = 'read_only' THEN
    RAISE EXCEPTION 'the register is open for reading only' USING ERRCODE = 'RG001';
  END IF;
  IF EXISTS (SELECT FROM parcel_hold WHERE parcel_no = NEW.parcel_no AND released_at IS NULL) THEN
    RAISE EXCEPTION 'parcel % is held until its newest right is settled', NEW.parcel_no
      USING ERRCODE = 'RG002';
  END IF;
  RETURN NEW;
END $$;

-- Seed.  Shares of :rows over the five tables; superuser, so before the triggers costs less.
INSERT INTO branch
  SELECT format('branch-%s', lpad(n::text, 2, '0')), format('Branch office %s', lpad(n::text, 2, '0')),
         format('第%s登记分局', lpad(n::text, 2, '0'))
  FROM generate_series(1, 50) AS n;
INSERT INTO branch VALUES ('control', 'Operations room', '运维室');

INSERT INTO parcel (parcel_no, district, address, area_m2, land_use)
  SELECT 'P' || lpad(n::text, 7, '0'), format('district-%s', n % 9), format('%s Lake Road', n),
         20 + (n * 7919 % 200000) / 100.0,
         (ARRAY['residential', 'residential', 'residential', 'commercial', 'industrial'])[1 + n % 5]
  FROM generate_series(1, greatest(10, :rows * 25 / 100)) AS n;
-- the designated test parcel: what is registered on it is no legal record
INSERT INTO parcel VALUES ('TEST-0000', 'test', 'no such place', 1, 'test');

INSERT INTO registration (branch, slip, clerk, parcel_no, kind, accepted_at, registered_at, holder,
                          amount, status)
  SELECT format('branch-%s', lpad((1 + n % 3)::text, 2, '0')), format('old-%s', n),
         format('clerk-%s', n % 12), 'P' || lpad((1 + n % (:rows * 25 / 100))::text, 7, '0'),
         (ARRAY['first', 'transfer', 'transfer', 'mortgage', 'discharge'])[1 + n % 5],
         timestamptz '2020-01-01 08:00+00' + n * interval '1 minute',
         timestamptz '2020-01-01 08:01+00' + n * interval '1 minute',
         CASE WHEN n > :rows * 25 / 100 THEN format('bank-%s', n % 7) ELSE 'holder-' || md5(n::text) END,
         CASE WHEN n > :rows * 25 / 100 THEN 100000 + n END,
         CASE WHEN n <= :rows * 20 / 100 THEN 'issued' ELSE 'registered' END
  FROM generate_series(1, :rows * 30 / 100) AS n;
-- Receipt 0 is the write proof: one row for ever, on the test parcel.
INSERT INTO registration (receipt_no, branch, slip, clerk, parcel_no, kind, accepted_at)
  VALUES (0, 'control', 'write-proof', 'dr', 'TEST-0000', 'test', timestamptz '2020-01-01 08:00+00');

INSERT INTO property_right (parcel_no, receipt_no, holder)
  SELECT parcel_no, receipt_no, holder
  FROM registration WHERE receipt_no BETWEEN 1 AND :rows * 20 / 100;
INSERT INTO certificate (receipt_no, parcel_no, issued_at)
  SELECT receipt_no, parcel_no, registered_at
  FROM registration WHERE receipt_no BETWEEN 1 AND :rows * 20 / 100;
INSERT INTO mortgage (parcel_no, receipt_no, creditor, amount)
  SELECT parcel_no, receipt_no, holder, amount
  FROM registration WHERE receipt_no > :rows * 25 / 100;

DO $$
DECLARE
  guarded text;
BEGIN
  FOREACH guarded IN ARRAY ARRAY['parcel', 'registration', 'property_right', 'mortgage', 'certificate']
  LOOP
    EXECUTE format('CREATE TRIGGER open_for_business BEFORE INSERT OR UPDATE ON %I '
                   'FOR EACH ROW EXECUTE FUNCTION refuse_when_not_open()', guarded);
  END LOOP;
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO app, dr_reader;
-- The register is only added to: the application may correct, never delete.
GRANT SELECT, INSERT, UPDATE ON parcel, registration, property_right, mortgage, certificate TO app;
GRANT SELECT ON branch, service_state, parcel_hold TO app;
GRANT USAGE, SELECT ON SEQUENCE receipt_seq, certificate_seq TO app;

VACUUM (ANALYZE, FREEZE);
CHECKPOINT;
