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
INSERT INTO "attempt" VALUES('R-20261101-abcde','blind','',1,'in_doubt',1,'R-20261101-abcde/blind/engine');
INSERT INTO "attempt" VALUES('R-20261101-abcde','look','',1,'ended',1,'R-20261101-abcde/look/engine');
INSERT INTO "attempt" VALUES('R-20261101-abcde','single','',1,'ended',1,'R-20261101-abcde/single/engine');
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
INSERT INTO "event" VALUES('R-20261101-abcde',3,'2026-11-01T03:00:00.007000Z','attempt.intent','look',NULL,1,1,'{"effect":"read","input":{}}','9efc6cb03858768ddcc7cd0e180a717b0ac25cc5d411f96a546100ff6fda7ab9');
INSERT INTO "event" VALUES('R-20261101-abcde',4,'2026-11-01T03:00:00.008000Z','attempt.finished','look',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','b296c7b2a09d191ac0cb2fddf36aa4186cf510e9290c34f20e5ea1eafffc3b00');
INSERT INTO "event" VALUES('R-20261101-abcde',5,'2026-11-01T03:00:00.011000Z','attempt.intent','single',NULL,1,1,'{"describes":["do R-20261101-abcde/single/engine"],"effect":"once","input":{},"key":"R-20261101-abcde/single/engine"}','0cb70329ccf0fa94d9e1011fadfde4ae73401b67d52d91214611f14fe8924e40');
INSERT INTO "event" VALUES('R-20261101-abcde',6,'2026-11-01T03:00:00.012000Z','attempt.handle','single',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/single/engine"}}','dc198fb922fb4c4531a1fdc7a03579ab27e78d548a030f364753ba632d32fcf4');
INSERT INTO "event" VALUES('R-20261101-abcde',7,'2026-11-01T03:00:00.013000Z','attempt.result','single',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','3cab1b2305e077e7f9b08a4abf80b74971b2f60916fbc968f947016d24486e5f');
INSERT INTO "event" VALUES('R-20261101-abcde',8,'2026-11-01T03:00:00.014000Z','attempt.finished','single',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','4a5ec03b7414cf8807e04eed14ad823c8a2056f8e0aa8bdb0c581114f29b813a');
INSERT INTO "event" VALUES('R-20261101-abcde',9,'2026-11-01T03:00:00.018000Z','attempt.intent','blind',NULL,1,1,'{"describes":["do R-20261101-abcde/blind/engine"],"effect":"once","input":{},"key":"R-20261101-abcde/blind/engine"}','975755f448860ccb38f4d10cf9e7b44651ac9c252522314118fdadecff3fe920');
INSERT INTO "event" VALUES('R-20261101-abcde',10,'2026-11-01T03:00:00.019000Z','attempt.handle','blind',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/blind/engine"}}','3b30ec92f74d9eca4aea7045a06328fb54ab951d14c0d28c4dd2403ce1d7bd8f');
INSERT INTO "event" VALUES('R-20261101-abcde',11,'2026-11-01T03:00:00.020000Z','run.lease',NULL,NULL,NULL,2,'{"epoch":2,"holder":"engine 2"}','232ce7ba2e3bfb3825263713108cc1fa0c71f46fcbd8792e64b267a242ac6825');
INSERT INTO "event" VALUES('R-20261101-abcde',12,'2026-11-01T03:00:00.022000Z','attempt.lost','blind',NULL,1,2,'{"message":"the engine died before it wrote the end"}','83c315ca37919b090b94f12c2c68ee504504cbd24517c3381d14c781b8c04229');
INSERT INTO "event" VALUES('R-20261101-abcde',13,'2026-11-01T03:00:00.025000Z','attempt.probed','blind',NULL,1,2,'{"attach":"unknown","attach_detail":"this action leaves nothing to find it again by","detail":"nothing to look at","outputs":{},"presence":"unknown"}','7c7c36cceaac4e05dbf4ed68a4c103dc4cf8100ccaa99552c0d58af9221a986c');
INSERT INTO "event" VALUES('R-20261101-abcde',14,'2026-11-01T03:00:00.027000Z','question.opened','blind',NULL,NULL,2,'{"question":{"approvers":"","asks":{"en":"Was step ''blind'' done? Nobody knows: its end was not seen.","zh":"步骤“blind”是否已完成？没有人看到它的结束。"},"card":{"attach":{"detail":"this action leaves nothing to find it again by","found":"unknown"},"attempt":1,"effect":"once","last_lines":"the last line","lost":"the engine died before it wrote the end","probe":{"detail":"nothing to look at","presence":"unknown"},"sent":["do R-20261101-abcde/blind/engine"],"when":"2026-11-01T03:00:00.018000Z"},"checklist":[],"chooses":null,"decide_by":null,"distinct_from":[],"escalate":[],"evidence":[],"expires":null,"host":null,"id":"blind@engine#1","kind":"doubt","max_loss_s":null,"nonce":"3a18e575d5ba3d16a7e3e5183729b705","on_timeout":"fail","opened":"2026-11-01T03:00:00.026000Z","options":[],"plan_hash":"","quorum":1,"standing":false,"step":"blind","verdicts":["done","not-done","failed"]}}','ee7d6e646ff8014d12074f500c7617df1e79c15dbd9dd895e886f17cb8d2ae5c');
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
INSERT INTO "question" VALUES('R-20261101-abcde','blind@engine#1','blind','doubt','open','3a18e575d5ba3d16a7e3e5183729b705',NULL,14);
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
INSERT INTO "run" VALUES('R-20261101-abcde','golden','51f335deae9a6e78a20101268d372c7769861f9fc4f9e47b9182d296838a91f6','made-up.yaml','lab','real','cai','2026-11-01T03:00:00.000000Z','[]','{}','running',2,14,'ee7d6e646ff8014d12074f500c7617df1e79c15dbd9dd895e886f17cb8d2ae5c','2026-11-01T03:00:00.027000Z');
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
