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
INSERT INTO "answer" VALUES('R-20261101-abcde',15,'choose#1','ana','79c840bd8ded4c186536aa3725c90821');
INSERT INTO "answer" VALUES('R-20261101-abcde',17,'choose#1','bo','79c840bd8ded4c186536aa3725c90821');
INSERT INTO "answer" VALUES('R-20261101-abcde',38,'choose#2','ana','fb8e3c660832470776b4dab31748925b');
INSERT INTO "answer" VALUES('R-20261101-abcde',40,'choose#2','bo','fb8e3c660832470776b4dab31748925b');
INSERT INTO "answer" VALUES('R-20261101-abcde',71,'person#1','bo','2e6183e7ae34a4cdf339c673b0f949e6');
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
INSERT INTO "attempt" VALUES('R-20261101-abcde','blind','',1,'ended',1,'R-20261101-abcde/blind/engine');
INSERT INTO "attempt" VALUES('R-20261101-abcde','fan','web-1',1,'ended',1,'R-20261101-abcde/fan/web-1');
INSERT INTO "attempt" VALUES('R-20261101-abcde','fan','web-2',1,'ended',1,'R-20261101-abcde/fan/web-2');
INSERT INTO "attempt" VALUES('R-20261101-abcde','fan','web-3',1,'ended',1,'R-20261101-abcde/fan/web-3');
INSERT INTO "attempt" VALUES('R-20261101-abcde','fan','web-4',1,'ended',1,'R-20261101-abcde/fan/web-4');
INSERT INTO "attempt" VALUES('R-20261101-abcde','look','',1,'ended',1,'R-20261101-abcde/look/engine');
INSERT INTO "attempt" VALUES('R-20261101-abcde','one','',1,'ended',1,'R-20261101-abcde/one/engine');
INSERT INTO "attempt" VALUES('R-20261101-abcde','report','',1,'ended',1,'R-20261101-abcde/report/engine');
INSERT INTO "attempt" VALUES('R-20261101-abcde','single','',1,'ended',1,'R-20261101-abcde/single/engine');
INSERT INTO "attempt" VALUES('R-20261101-abcde','three','',1,'ended',1,'R-20261101-abcde/three/engine');
INSERT INTO "attempt" VALUES('R-20261101-abcde','two','',1,'ended',1,'R-20261101-abcde/two/engine');
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
INSERT INTO "event" VALUES('R-20261101-abcde',6,'2026-11-01T03:00:00.012000Z','attempt.handle','single',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/single/engine"}}','b78acd1b8570a73a88ddd789d773b12f9bc4bbbb27816d76255758621a591baf');
INSERT INTO "event" VALUES('R-20261101-abcde',7,'2026-11-01T03:00:00.013000Z','attempt.result','single',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','9b0240c6f17606ce870ab40ef1d7c5d6bfd02b8297c912224200060996c55b83');
INSERT INTO "event" VALUES('R-20261101-abcde',8,'2026-11-01T03:00:00.014000Z','attempt.finished','single',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','e2c993869ec4d02a9f4f8aee4752041a1e3b3a92d07b62d688197a8132979e8f');
INSERT INTO "event" VALUES('R-20261101-abcde',9,'2026-11-01T03:00:00.017000Z','attempt.intent','blind',NULL,1,1,'{"describes":["do R-20261101-abcde/blind/engine"],"effect":"once","input":{},"key":"R-20261101-abcde/blind/engine"}','b6686748a1ceb96751dccde477c08f50dd1228c66bf9433393c69a999a7dd7f9');
INSERT INTO "event" VALUES('R-20261101-abcde',10,'2026-11-01T03:00:00.018000Z','attempt.handle','blind',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/blind/engine"}}','10a60e0d8e49cf0f763e2e2a07ba2424629044e6df2f6a1a490cbf34b45af496');
INSERT INTO "event" VALUES('R-20261101-abcde',11,'2026-11-01T03:00:00.019000Z','attempt.result','blind',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','fd476894d03934928205eeb5b9bd6e2449f6116dd78e448faf964d646c1f0354');
INSERT INTO "event" VALUES('R-20261101-abcde',12,'2026-11-01T03:00:00.020000Z','attempt.finished','blind',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','e59593b31946c2aabed1e805a21e1fdeedcc532e96fd5b2407f7d39a80abcfa7');
INSERT INTO "event" VALUES('R-20261101-abcde',13,'2026-11-01T03:00:00.026000Z','question.opened','choose',NULL,NULL,1,'{"question":{"approvers":"leadership","asks":{"en":"Go?","zh":"执行吗"},"card":{},"checklist":[],"chooses":"ladder","decide_by":null,"distinct_from":["cai"],"escalate":[],"evidence":[],"expires":null,"host":null,"id":"choose#1","kind":"gate","max_loss_s":null,"nonce":"79c840bd8ded4c186536aa3725c90821","on_timeout":"fail","opened":"2026-11-01T03:00:00.024000Z","options":[{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":[],"loss_known":false,"loss_s":null,"name":"first","p50_s":null,"p90_s":null,"proposed":true,"title":{"en":"","zh":""}},{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":["three"],"loss_known":false,"loss_s":null,"name":"second","p50_s":null,"p90_s":null,"proposed":false,"title":{"en":"","zh":""}}],"plan_hash":"5e0feee67313722f5a4c732ce17542b9554b697a045bea43a6cb4a76bc3f592c","quorum":2,"standing":false,"step":"choose","verdicts":["approve","reject"]}}','94895ad3da761bac9b1bb19d39a20de68694e616661827b2c9c928d50b14ea56');
INSERT INTO "event" VALUES('R-20261101-abcde',14,'2026-11-01T03:00:00.031000Z','run.state',NULL,NULL,NULL,1,'{"because":"gate ''choose'' waits for people","state":"waiting"}','c715a2a247073b7c7284adcd5e03387b86ee21cda9b55851e944a8cee121b66d');
INSERT INTO "event" VALUES('R-20261101-abcde',15,'2026-11-01T03:00:00.035000Z','question.answered','choose',NULL,NULL,1,'{"answer":{"at":"2026-11-01T03:00:00.034000Z","by":"ana","choice":"first","evidence":{},"expires":null,"max_loss_s":null,"means":"terminal","reason":"yes","signature":"","statement":"","verdict":"approve","witnesses":[]},"question":"choose#1"}','f0b9ac500ee157e7e17a3b98a045eac91fd53ce901a6ae44b39de2b415623299');
INSERT INTO "event" VALUES('R-20261101-abcde',16,'2026-11-01T03:00:00.038000Z','run.state',NULL,NULL,NULL,1,'{"because":"","state":"running"}','98a3f8a2a738d11167d8b85a178d46b91b71a90b952a8228d006bfd2d8748333');
INSERT INTO "event" VALUES('R-20261101-abcde',17,'2026-11-01T03:00:00.042000Z','question.answered','choose',NULL,NULL,1,'{"answer":{"at":"2026-11-01T03:00:00.039000Z","by":"bo","choice":"first","evidence":{},"expires":null,"max_loss_s":null,"means":"terminal","reason":"yes","signature":"","statement":"","verdict":"approve","witnesses":[]},"question":"choose#1"}','2af544eb08f31efa6f4176671b5ed2feb996789579555f6f4ae8af09962c9a61');
INSERT INTO "event" VALUES('R-20261101-abcde',18,'2026-11-01T03:00:00.043000Z','run.state',NULL,NULL,NULL,1,'{"because":"gate ''choose'' waits for people","state":"waiting"}','d52fd7c4eccdf212e8255286a8265115ac6184f1930fbabdff3a6f223fdf45d0');
INSERT INTO "event" VALUES('R-20261101-abcde',19,'2026-11-01T03:00:00.046000Z','question.closed','choose',NULL,NULL,1,'{"answers":["ana","bo"],"because":"","outcome":"approved","question":"choose#1"}','5e511a86fdb6e4d2578c47133caefb8468166729ab85d655523ae4af7fe09b05');
INSERT INTO "event" VALUES('R-20261101-abcde',20,'2026-11-01T03:00:00.046000Z','step.finished','choose',NULL,NULL,1,'{"outputs":{"approved_by":["ana","bo"],"choice":"first","expires":null,"max_loss_s":null,"means":["terminal","terminal"],"reasons":["yes","yes"]},"state":"succeeded"}','3c50ee1389b50b4c682ed9b7aeb4d486d37c07831620578a6caf7fcd821d7e21');
INSERT INTO "event" VALUES('R-20261101-abcde',21,'2026-11-01T03:00:00.049000Z','run.state',NULL,NULL,NULL,1,'{"because":"","state":"running"}','6dfcbba6f1a4e7f0e8b1e678cbd6b18a4dac5bdd008ef7643bcceade75ad700c');
INSERT INTO "event" VALUES('R-20261101-abcde',22,'2026-11-01T03:00:00.051000Z','rung.started','ladder',NULL,NULL,1,'{"forecast":{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":[],"loss_known":false,"loss_s":null,"name":"first","p50_s":null,"p90_s":null,"proposed":true,"title":{"en":"","zh":""}},"rung":"first"}','c6cf5832c027ac92ee5d1170d8efe20821b2ade2871fb09db0271972dd58d4c4');
INSERT INTO "event" VALUES('R-20261101-abcde',23,'2026-11-01T03:00:00.054000Z','attempt.intent','one',NULL,1,1,'{"describes":["do R-20261101-abcde/one/engine"],"effect":"once","input":{},"key":"R-20261101-abcde/one/engine"}','5eb6c466c054a89cddf58af660707e68efc6ca300df1792be262cf8cf68d2071');
INSERT INTO "event" VALUES('R-20261101-abcde',24,'2026-11-01T03:00:00.057000Z','attempt.handle','one',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/one/engine"}}','a4734feb88dcc3a7743ccffc49cff65dfac79d657dc6fc8ad619c4215f162f30');
INSERT INTO "event" VALUES('R-20261101-abcde',25,'2026-11-01T03:00:00.058000Z','attempt.result','one',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','eb6f47687ea15fab36dc8a6c0044ee2fdac508267da09bfdeb1d6c6cd99c78b4');
INSERT INTO "event" VALUES('R-20261101-abcde',26,'2026-11-01T03:00:00.060000Z','attempt.finished','one',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','72ffa35ecd7cca81aef4ffa0df60e3f3585741f498af5d115b4c45fd315f5b2c');
INSERT INTO "event" VALUES('R-20261101-abcde',27,'2026-11-01T03:00:00.063000Z','attempt.intent','two',NULL,1,1,'{"describes":["do R-20261101-abcde/two/engine"],"effect":"once","input":{},"key":"R-20261101-abcde/two/engine"}','cb81d29dc548d0e3bdb4aa4bc99112cfef4f51b0ed169f38bd67f1f5adf646bd');
INSERT INTO "event" VALUES('R-20261101-abcde',28,'2026-11-01T03:00:00.064000Z','attempt.handle','two',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/two/engine"}}','f25b07f028dcd62f46099c18c91dbe2f5eb645d119c9bb994bc90692fb020a63');
INSERT INTO "event" VALUES('R-20261101-abcde',29,'2026-11-01T03:00:00.065000Z','attempt.finished','two',NULL,1,1,'{"error":{"code":"refused","effect":"none","facts":{"before":true},"hint":"","message":"no"},"state":"failed"}','f89df0204548169036f03b9ffa2a31c4120ab987558bbabe597c2e4d9e985076');
INSERT INTO "event" VALUES('R-20261101-abcde',30,'2026-11-01T03:00:00.067000Z','rung.failed','ladder',NULL,NULL,1,'{"because":"step ''two'': no","rung":"first"}','73a21c25a2a8d4aea8fdf429461499430557c2fc422f228df2df988b18488ae0');
INSERT INTO "event" VALUES('R-20261101-abcde',31,'2026-11-01T03:00:00.070000Z','undo.intent','one',NULL,1,1,'{"describes":["do R-20261101-abcde/one.undo/engine"]}','c3a10cf0aaa1fcbe4976e5c09141b72a87e8e36bc9ebc4c058ae5e91e10dad75');
INSERT INTO "event" VALUES('R-20261101-abcde',32,'2026-11-01T03:00:00.071000Z','undo.finished','one',NULL,1,1,'{"state":"undone"}','d3c4492b13a0cfecd2e1f13f037293d95067ec9d0b4d082449dfafffbb10c059');
INSERT INTO "event" VALUES('R-20261101-abcde',33,'2026-11-01T03:00:00.072000Z','rung.closed','ladder',NULL,NULL,1,'{"how":"undone","rung":"first"}','02b9df74f0ee6ec1c48c01570ad015b090819c3b9d37caab3932e99810a48130');
INSERT INTO "event" VALUES('R-20261101-abcde',34,'2026-11-01T03:00:00.076000Z','step.reopened','choose',NULL,NULL,1,'{"because":"rung ''second'' lies outside the approval","rungs":false}','93508b5aaa296e71ac5a0f8bf6d515f11bfcf75cdecd9daca112af4fe5d2e482');
INSERT INTO "event" VALUES('R-20261101-abcde',35,'2026-11-01T03:00:00.076000Z','step.reopened','ladder',NULL,NULL,1,'{"because":"rung ''second'' lies outside the approval","rungs":false}','c4a3dde159282ea23c5027bc5db42359199d714a35dbd55b744528288ea7312b');
INSERT INTO "event" VALUES('R-20261101-abcde',36,'2026-11-01T03:00:00.083000Z','question.opened','choose',NULL,NULL,1,'{"question":{"approvers":"leadership","asks":{"en":"Go? (asked again: rung ''second'' lies outside the approval)","zh":"执行吗（再次请示：rung ''second'' lies outside the approval）"},"card":{},"checklist":[],"chooses":"ladder","decide_by":null,"distinct_from":["cai"],"escalate":[],"evidence":[],"expires":null,"host":null,"id":"choose#2","kind":"gate","max_loss_s":null,"nonce":"fb8e3c660832470776b4dab31748925b","on_timeout":"fail","opened":"2026-11-01T03:00:00.082000Z","options":[{"available":false,"basis":{"en":"","zh":""},"because":{"en":"it was tried and failed: step ''two'': no","zh":"已尝试并失败：step ''two'': no"},"irreversible":[],"loss_known":false,"loss_s":null,"name":"first","p50_s":null,"p90_s":null,"proposed":false,"title":{"en":"","zh":""}},{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":["three"],"loss_known":false,"loss_s":null,"name":"second","p50_s":null,"p90_s":null,"proposed":true,"title":{"en":"","zh":""}}],"plan_hash":"4c2b1fe5c2d8d83b72d45c8f5c4d3be56c7f6faf4f50cd06ff349660a70807cd","quorum":2,"standing":false,"step":"choose","verdicts":["approve","reject"]}}','7933dce458edaff07d293075e462c3c3022cc98fb2db67af3a3767a4ceb4d4d4');
INSERT INTO "event" VALUES('R-20261101-abcde',37,'2026-11-01T03:00:00.088000Z','run.state',NULL,NULL,NULL,1,'{"because":"gate ''choose'' waits for people","state":"waiting"}','57f824bcb69e205e0d0ee4adb143aec7fd4da1800b7f1219a12e0f3a9b659d7c');
INSERT INTO "event" VALUES('R-20261101-abcde',38,'2026-11-01T03:00:00.092000Z','question.answered','choose',NULL,NULL,1,'{"answer":{"at":"2026-11-01T03:00:00.091000Z","by":"ana","choice":"second","evidence":{},"expires":null,"max_loss_s":null,"means":"terminal","reason":"yes","signature":"","statement":"","verdict":"approve","witnesses":[]},"question":"choose#2"}','8e7e032e70b80e1de244a01e2b48cb97bed402f7768ec86782d054d5ea56ee66');
INSERT INTO "event" VALUES('R-20261101-abcde',39,'2026-11-01T03:00:00.095000Z','run.state',NULL,NULL,NULL,1,'{"because":"","state":"running"}','6a853cc05a8b725acbae38f8b672f0c55ebcd0f34ad086a062cc9c70e6f85b70');
INSERT INTO "event" VALUES('R-20261101-abcde',40,'2026-11-01T03:00:00.099000Z','question.answered','choose',NULL,NULL,1,'{"answer":{"at":"2026-11-01T03:00:00.096000Z","by":"bo","choice":"second","evidence":{},"expires":null,"max_loss_s":null,"means":"terminal","reason":"yes","signature":"","statement":"","verdict":"approve","witnesses":[]},"question":"choose#2"}','1bbdd5d035bdff55601e1bd6cd14a4b457f9c985e60bea53c6b9c29c8da99490');
INSERT INTO "event" VALUES('R-20261101-abcde',41,'2026-11-01T03:00:00.100000Z','run.state',NULL,NULL,NULL,1,'{"because":"gate ''choose'' waits for people","state":"waiting"}','5742f5990dd4aa3467784113f4078f5d96c4637b9590adb4f2bd39f945ec3586');
INSERT INTO "event" VALUES('R-20261101-abcde',42,'2026-11-01T03:00:00.103000Z','question.closed','choose',NULL,NULL,1,'{"answers":["ana","bo"],"because":"","outcome":"approved","question":"choose#2"}','1119c13f24b1df80bdef3e5be766e0f5c190ee438954632b0108209b382e68b1');
INSERT INTO "event" VALUES('R-20261101-abcde',43,'2026-11-01T03:00:00.103000Z','step.finished','choose',NULL,NULL,1,'{"outputs":{"approved_by":["ana","bo"],"choice":"second","expires":null,"max_loss_s":null,"means":["terminal","terminal"],"reasons":["yes","yes"]},"state":"succeeded"}','69def95cbdad951a3e2ea2c988c250453a20fa01ea4865300268a63e5a7b1226');
INSERT INTO "event" VALUES('R-20261101-abcde',44,'2026-11-01T03:00:00.105000Z','run.state',NULL,NULL,NULL,1,'{"because":"","state":"running"}','664093aba13684c7af89d660612e5c6f8e217ea4902db403402bbff0b39ccf84');
INSERT INTO "event" VALUES('R-20261101-abcde',45,'2026-11-01T03:00:00.108000Z','rung.started','ladder',NULL,NULL,1,'{"forecast":{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":["three"],"loss_known":false,"loss_s":null,"name":"second","p50_s":null,"p90_s":null,"proposed":true,"title":{"en":"","zh":""}},"rung":"second"}','baf2008bb74fcc14967b3575540e7087a2580bc8f6a53610b4f449c073837f29');
INSERT INTO "event" VALUES('R-20261101-abcde',46,'2026-11-01T03:00:00.111000Z','attempt.intent','three',NULL,1,1,'{"describes":["do R-20261101-abcde/three/engine"],"effect":"irreversible","input":{},"key":"R-20261101-abcde/three/engine"}','87ff7167644dcce79fd28329faf4540a72347054de2de0947154407b2d415807');
INSERT INTO "event" VALUES('R-20261101-abcde',47,'2026-11-01T03:00:00.113000Z','attempt.handle','three',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/three/engine"}}','d395b2d8d4c533874298e0416eef1ecb3ac5714673a6f60d6827b07b13af1d96');
INSERT INTO "event" VALUES('R-20261101-abcde',48,'2026-11-01T03:00:00.115000Z','attempt.result','three',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','dc6fbe8d3be005c3359fb953f3eff7ae4f171736c27f4d196a2db63a4cdfc9ef');
INSERT INTO "event" VALUES('R-20261101-abcde',49,'2026-11-01T03:00:00.116000Z','attempt.finished','three',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','0b0b81b537cfa39aecdee487df087f612d73d7fff44ccf993b10ce9fb3ad7d95');
INSERT INTO "event" VALUES('R-20261101-abcde',50,'2026-11-01T03:00:00.118000Z','step.finished','ladder',NULL,NULL,1,'{"outputs":{"rung":"second","value":1},"state":"succeeded"}','e063eb5b5ca7c7da68db854d67e2c564e1b0b64b86a8fd9a95a17f0d864158e6');
INSERT INTO "event" VALUES('R-20261101-abcde',51,'2026-11-01T03:00:00.120000Z','step.planned','fan',NULL,NULL,1,'{"batches":[["web-1"],["web-2","web-3","web-4"]],"hosts":["web-1","web-2","web-3","web-4"]}','41b1aa2c3772fe769fec31c542ac667f85a02343e6442d81c1e55fda33923a4c');
INSERT INTO "event" VALUES('R-20261101-abcde',52,'2026-11-01T03:00:00.122000Z','attempt.intent','fan','web-1',1,1,'{"describes":["do R-20261101-abcde/fan/web-1"],"effect":"once","input":{},"key":"R-20261101-abcde/fan/web-1"}','d2d77526f45d503f35840f1e2d4ed583061460362dbd717efdb86973759a1a12');
INSERT INTO "event" VALUES('R-20261101-abcde',53,'2026-11-01T03:00:00.123000Z','attempt.handle','fan','web-1',1,1,'{"handle":{"job":"R-20261101-abcde/fan/web-1"}}','9168d909358364c061248605a9d3003534c6d0b297d9665060c9622b8e9dad81');
INSERT INTO "event" VALUES('R-20261101-abcde',54,'2026-11-01T03:00:00.125000Z','attempt.result','fan','web-1',1,1,'{"facts":{},"outputs":{"value":1}}','c417cd4da98282585e28d627398d157bf3535d679e01e78e2eac81bf107dc072');
INSERT INTO "event" VALUES('R-20261101-abcde',55,'2026-11-01T03:00:00.126000Z','attempt.finished','fan','web-1',1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','49f22222485a20a0c319d3f41b473e78d0a9c0d8eae909031cba0524a4806eed');
INSERT INTO "event" VALUES('R-20261101-abcde',56,'2026-11-01T03:00:00.129000Z','attempt.intent','fan','web-2',1,1,'{"describes":["do R-20261101-abcde/fan/web-2"],"effect":"once","input":{},"key":"R-20261101-abcde/fan/web-2"}','7d71bb35a714d9c4effa0c36c19ee33342e38f0042fe3667acc2e0836ae0921a');
INSERT INTO "event" VALUES('R-20261101-abcde',57,'2026-11-01T03:00:00.132000Z','attempt.intent','fan','web-3',1,1,'{"describes":["do R-20261101-abcde/fan/web-3"],"effect":"once","input":{},"key":"R-20261101-abcde/fan/web-3"}','e441747d50a9beae2207a03d0fa1fd9ac86eab47bc24bbd808a206073d5c1681');
INSERT INTO "event" VALUES('R-20261101-abcde',58,'2026-11-01T03:00:00.132000Z','attempt.intent','fan','web-4',1,1,'{"describes":["do R-20261101-abcde/fan/web-4"],"effect":"once","input":{},"key":"R-20261101-abcde/fan/web-4"}','ef2f372cbfa342d59f5e2a42e669500d841670b136502baaccc54a363e461c76');
INSERT INTO "event" VALUES('R-20261101-abcde',59,'2026-11-01T03:00:00.132000Z','attempt.handle','fan','web-2',1,1,'{"handle":{"job":"R-20261101-abcde/fan/web-2"}}','e9f8f47de23b30755273e62f9296f081537ef07185e05bf459c397413a29bede');
INSERT INTO "event" VALUES('R-20261101-abcde',60,'2026-11-01T03:00:00.133000Z','attempt.handle','fan','web-3',1,1,'{"handle":{"job":"R-20261101-abcde/fan/web-3"}}','c6c1a9ea0e7617163fd215a177ac09c15f96c0bb539d5b3824115f5a8220ffe2');
INSERT INTO "event" VALUES('R-20261101-abcde',61,'2026-11-01T03:00:00.135000Z','attempt.result','fan','web-3',1,1,'{"facts":{},"outputs":{"value":1}}','265506e161643f94a944d280b86a5f6cab26c4d417c8495154db7fc380ee9e63');
INSERT INTO "event" VALUES('R-20261101-abcde',62,'2026-11-01T03:00:00.135000Z','attempt.handle','fan','web-4',1,1,'{"handle":{"job":"R-20261101-abcde/fan/web-4"}}','0919d6195669767694cd2c2088bcf87d74936fef2f133414f2558cab3f0ff941');
INSERT INTO "event" VALUES('R-20261101-abcde',63,'2026-11-01T03:00:00.135000Z','attempt.result','fan','web-2',1,1,'{"facts":{},"outputs":{"value":1}}','7ff088847402653e6fda45870a8191776c637ee6d009f47f1fade9514c7c618a');
INSERT INTO "event" VALUES('R-20261101-abcde',64,'2026-11-01T03:00:00.137000Z','attempt.finished','fan','web-3',1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','24d3a9115ff766d7e054e93ef53c032fc7afff0de4d80664f03dcfb26b2c461b');
INSERT INTO "event" VALUES('R-20261101-abcde',65,'2026-11-01T03:00:00.137000Z','attempt.result','fan','web-4',1,1,'{"facts":{},"outputs":{"value":1}}','afa0dad1419732c51365e754b308fdefb24ce016a64071bf79d2060563505df2');
INSERT INTO "event" VALUES('R-20261101-abcde',66,'2026-11-01T03:00:00.137000Z','attempt.finished','fan','web-2',1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','a41a3d7d4578a78165e54e92126b8579adf3dc15c6491983230ccc2a28165b96');
INSERT INTO "event" VALUES('R-20261101-abcde',67,'2026-11-01T03:00:00.139000Z','attempt.finished','fan','web-4',1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','c5ce5a80a886aa658ef074eecb4b7f9a13b36d582f0536d8dbfbd3ab8a32cbd6');
INSERT INTO "event" VALUES('R-20261101-abcde',68,'2026-11-01T03:00:00.141000Z','step.finished','fan',NULL,NULL,1,'{"outputs":{"failed":[],"hosts":{"web-1":{"value":1},"web-2":{"value":1},"web-3":{"value":1},"web-4":{"value":1}},"not_started":[]},"state":"succeeded"}','15264bd7dab75806d4224fd03f66c8ea9c00e4397abda554c9361c3c7023e8e8');
INSERT INTO "event" VALUES('R-20261101-abcde',69,'2026-11-01T03:00:00.144000Z','question.opened','person',NULL,NULL,1,'{"question":{"approvers":"support","asks":{"en":"x","zh":"x"},"card":{},"checklist":[],"chooses":null,"decide_by":null,"distinct_from":[],"escalate":[],"evidence":[],"expires":null,"host":null,"id":"person#1","kind":"task","max_loss_s":null,"nonce":"2e6183e7ae34a4cdf339c673b0f949e6","on_timeout":"wait","opened":"2026-11-01T03:00:00.143000Z","options":[],"plan_hash":"","quorum":1,"standing":false,"step":"person","verdicts":["done","failed"]}}','b5586c313b9ea3246592fad645c148d34e5c770bb7e78b49b1e96fa3ef06407d');
INSERT INTO "event" VALUES('R-20261101-abcde',70,'2026-11-01T03:00:00.146000Z','run.state',NULL,NULL,NULL,1,'{"because":"task ''person'' waits for people","state":"waiting"}','e0b4a6e5c00e7a5ebc6cf9fb682629be2b2c0848b37e835ff7c4ba8dc9e21d96');
INSERT INTO "event" VALUES('R-20261101-abcde',71,'2026-11-01T03:00:00.149000Z','question.answered','person',NULL,NULL,1,'{"answer":{"at":"2026-11-01T03:00:00.148000Z","by":"bo","choice":null,"evidence":{},"expires":null,"max_loss_s":null,"means":"terminal","reason":"yes","signature":"","statement":"","verdict":"done","witnesses":[]},"question":"person#1"}','407d9ad99a1c00d7e9269ffab766a017e1861d1377447741ed22e86d5d81aec0');
INSERT INTO "event" VALUES('R-20261101-abcde',72,'2026-11-01T03:00:00.151000Z','question.closed','person',NULL,NULL,1,'{"answers":["bo"],"because":"yes","outcome":"done","question":"person#1"}','27a3a00485e45ac1967572d8cf093926d4838442d2a34487ace691142a7c02aa');
INSERT INTO "event" VALUES('R-20261101-abcde',73,'2026-11-01T03:00:00.151000Z','step.finished','person',NULL,NULL,1,'{"outputs":{"by":"bo"},"state":"succeeded"}','82887376b6620b4035c36dec7bd2892b75896a56e9b6328ebc4d3141b8e11e56');
INSERT INTO "event" VALUES('R-20261101-abcde',74,'2026-11-01T03:00:00.152000Z','run.state',NULL,NULL,NULL,1,'{"because":"","state":"running"}','13881707e87716f365c62197273a261ed3535f0c15f1b5e9c26fe9f3c56721a5');
INSERT INTO "event" VALUES('R-20261101-abcde',75,'2026-11-01T03:00:00.156000Z','attempt.intent','report',NULL,1,1,'{"describes":["do R-20261101-abcde/report/engine"],"effect":"idempotent","input":{},"key":"R-20261101-abcde/report/engine"}','a509f6aa6694f5fb3104fcf7294ce081da4be0b32c9cf0c600f26699eb9b6839');
INSERT INTO "event" VALUES('R-20261101-abcde',76,'2026-11-01T03:00:00.157000Z','attempt.handle','report',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/report/engine"}}','f89be39df240ae7750549bb64ffffc4ba798a30e65e671b021dea37e0f723630');
INSERT INTO "event" VALUES('R-20261101-abcde',77,'2026-11-01T03:00:00.158000Z','attempt.result','report',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','8c92accb02f9fb9f4c84532a9912848aa54cce9bbe3e6175d5eeb43dacd1d49e');
INSERT INTO "event" VALUES('R-20261101-abcde',78,'2026-11-01T03:00:00.160000Z','attempt.finished','report',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','aa78bb12434f3710e897edc18b70651809f4e32c5c69212b5c0d4ff9d88f28a3');
INSERT INTO "event" VALUES('R-20261101-abcde',79,'2026-11-01T03:00:00.162000Z','run.ended',NULL,NULL,NULL,1,'{"because":"","rejected":false,"state":"succeeded"}','33984566b03b0f4e50a31d81ed5f015354e974851a5e743b51a205d1057eebbb');
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
INSERT INTO "question" VALUES('R-20261101-abcde','choose#1','choose','gate','closed','79c840bd8ded4c186536aa3725c90821','approved',13);
INSERT INTO "question" VALUES('R-20261101-abcde','choose#2','choose','gate','closed','fb8e3c660832470776b4dab31748925b','approved',36);
INSERT INTO "question" VALUES('R-20261101-abcde','person#1','person','task','closed','2e6183e7ae34a4cdf339c673b0f949e6','done',69);
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
INSERT INTO "run" VALUES('R-20261101-abcde','golden','51f335deae9a6e78a20101268d372c7769861f9fc4f9e47b9182d296838a91f6','made-up.yaml','lab','real','cai','2026-11-01T03:00:00.000000Z','[]','{}','succeeded',1,79,'33984566b03b0f4e50a31d81ed5f015354e974851a5e743b51a205d1057eebbb','2026-11-01T03:00:00.162000Z');
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
