BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE answer (
	run TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	question TEXT NOT NULL, 
	"by" TEXT NOT NULL, 
	nonce TEXT NOT NULL, 
	CONSTRAINT pk_answer PRIMARY KEY (run, seq), 
	CONSTRAINT uq_answer_run_question_by UNIQUE (run, question, "by"), 
	CONSTRAINT fk_answer_question FOREIGN KEY(run, question) REFERENCES question (run, id)
);
CREATE TABLE attempt (
	run TEXT NOT NULL, 
	step TEXT NOT NULL, 
	host TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	epoch INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	CONSTRAINT pk_attempt PRIMARY KEY (run, step, host, number), 
	CONSTRAINT fk_attempt_run FOREIGN KEY(run) REFERENCES run (id), 
	CONSTRAINT ck_attempt_state CHECK (state IN ('queued', 'running', 'ended', 'in_doubt'))
)
 WITHOUT ROWID

;
INSERT INTO "attempt" VALUES('R-20261101-abcde','look','',1,'ended',1,'R-20261101-abcde/look/engine');
INSERT INTO "attempt" VALUES('R-20261101-abcde','single','',1,'running',1,'R-20261101-abcde/single/engine');
CREATE TABLE event (
	run TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	step TEXT, 
	host TEXT, 
	attempt INTEGER, 
	epoch INTEGER NOT NULL, 
	data TEXT NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT uq_event_run_seq PRIMARY KEY (run, seq), 
	CONSTRAINT fk_event_run FOREIGN KEY(run) REFERENCES run (id)
)
 WITHOUT ROWID

;
INSERT INTO "event" VALUES('R-20261101-abcde',1,'2026-11-01T03:00:00.002000Z','run.created',NULL,NULL,NULL,0,'{"record_sha256":"4dd98b3c9633c2e40e0251252630a8f72d4bf827a9c4c49f3e917378d8d72490","runbook":"golden"}','4315ac0077aae9604d79269b625e7aeeb44f0c3ab72dfc5f972ac64b59667ef9');
INSERT INTO "event" VALUES('R-20261101-abcde',2,'2026-11-01T03:00:00.003000Z','run.lease',NULL,NULL,NULL,1,'{"epoch":1,"holder":"engine 1"}','4c154f51d69ac33220527353654912ea1029ffc67718b9b64912fff6d01c5b5d');
INSERT INTO "event" VALUES('R-20261101-abcde',3,'2026-11-01T03:00:00.006000Z','attempt.intent','look',NULL,1,1,'{"effect":"read","input":{}}','f99f8997f1b0fe9596f7f1bca5007d41167ecba15d344f9421d36c4a0b514694');
INSERT INTO "event" VALUES('R-20261101-abcde',4,'2026-11-01T03:00:00.008000Z','attempt.finished','look',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','28297ad9479d7da25c540d258540cb27cff88a4fc9e6b3a496d671ce9cd8ed1d');
INSERT INTO "event" VALUES('R-20261101-abcde',5,'2026-11-01T03:00:00.011000Z','attempt.intent','single',NULL,1,1,'{"describes":["do R-20261101-abcde/single/engine"],"effect":"once","input":{},"key":"R-20261101-abcde/single/engine"}','a44ecf140277697f8f8d6fc3440891b869632ab220d0342efd9fdb41109be4de');
INSERT INTO "event" VALUES('R-20261101-abcde',6,'2026-11-01T03:00:00.013000Z','attempt.handle','single',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/single/engine"}}','037f354135fee614d0460abd424be61626bda9eeb4f9278b1fa69b4f99fc8927');
CREATE TABLE question (
	run TEXT NOT NULL, 
	id TEXT NOT NULL, 
	step TEXT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	nonce TEXT NOT NULL, 
	outcome TEXT, 
	seq INTEGER NOT NULL, 
	CONSTRAINT pk_question PRIMARY KEY (run, id), 
	CONSTRAINT fk_question_run FOREIGN KEY(run) REFERENCES run (id), 
	CONSTRAINT ck_question_state CHECK (state IN ('open', 'closed'))
);
CREATE TABLE run (
	id TEXT NOT NULL, 
	runbook TEXT NOT NULL, 
	runbook_sha256 TEXT NOT NULL, 
	file TEXT NOT NULL, 
	environment TEXT NOT NULL, 
	mode VARCHAR(32) NOT NULL, 
	requester TEXT NOT NULL, 
	created VARCHAR(27) NOT NULL, 
	locks TEXT NOT NULL, 
	title TEXT NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	epoch INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_run PRIMARY KEY (id)
);
INSERT INTO "run" VALUES('R-20261101-abcde','golden','51f335deae9a6e78a20101268d372c7769861f9fc4f9e47b9182d296838a91f6','made-up.yaml','lab','real','cai','2026-11-01T03:00:00.000000Z','[]','{}','running',1,6,'037f354135fee614d0460abd424be61626bda9eeb4f9278b1fa69b4f99fc8927','2026-11-01T03:00:00.013000Z');
CREATE TABLE run_lock (
	name TEXT NOT NULL, 
	run TEXT NOT NULL, 
	CONSTRAINT pk_run_lock PRIMARY KEY (name), 
	CONSTRAINT fk_run_lock_run FOREIGN KEY(run) REFERENCES run (id)
);
CREATE TABLE snapshot (
	run TEXT NOT NULL, 
	source TEXT NOT NULL, 
	inputs TEXT NOT NULL, 
	inventory TEXT NOT NULL, 
	CONSTRAINT pk_snapshot PRIMARY KEY (run), 
	CONSTRAINT fk_snapshot_run FOREIGN KEY(run) REFERENCES run (id)
);
INSERT INTO "snapshot" VALUES('R-20261101-abcde','format: 1
name: golden
title: { en: Golden, zh: 样本 }
objectives: { rto: 4h, rpo: 15m }
locks: ["service:registry"]
inputs:
  - { id: reason, type: string, default: "a drill" }
steps:
  - {id: look, uses: do.look, effect: read, needs: []}
  - {id: single, uses: do.it, effect: once}
  - {id: blind, uses: do.blind, effect: once}
  - id: choose
    uses: gate.approve
    with:
      ask: { en: Go?, zh: 执行吗 }
      approvers: { group: leadership }
      quorum: 2
      chooses: ladder
  - id: ladder
    try:
      - name: first
        steps:
          - {id: one, uses: do.it, effect: once}
          - {id: two, uses: do.bad, effect: once}
      - name: second
        steps:
          - {id: three, uses: do.it, effect: irreversible}
  - id: fan
    uses: do.it
    hosts: web
    effect: once
    strategy: { batches: [1, "100%"] }
  - {id: person, uses: human.task, with: { group: support, instructions: { en: x, zh: x } }}
finally:
  - {id: report, uses: do.it, effect: idempotent}
','{}','{"groups":{"web":["web-1","web-2","web-3","web-4"]},"hosts":{"db-a":{},"db-b":{},"web-1":{},"web-2":{},"web-3":{},"web-4":{}},"people":{"ana":{},"bo":{},"cai":{}},"people_groups":{"leadership":{"members":["ana","bo"]}},"services":{"registry":{"title":{"en":"registry","zh":""}}}}');
CREATE TABLE worker (
	run TEXT NOT NULL, 
	holder TEXT NOT NULL, 
	epoch INTEGER NOT NULL, 
	renewed_at DATETIME, 
	expires_at DATETIME, 
	CONSTRAINT pk_worker PRIMARY KEY (run), 
	CONSTRAINT fk_worker_run FOREIGN KEY(run) REFERENCES run (id)
);
CREATE TRIGGER event_no_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'events are only ever added'); END;
CREATE TRIGGER event_no_delete BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'events are only ever added'); END;
COMMIT;
