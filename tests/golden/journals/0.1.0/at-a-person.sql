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
INSERT INTO "answer" VALUES('R-20261101-abcde',15,'choose#1','ana','2ceec1deba4db8d3d595f2f0cacb3693');
INSERT INTO "answer" VALUES('R-20261101-abcde',16,'choose#1','bo','2ceec1deba4db8d3d595f2f0cacb3693');
INSERT INTO "answer" VALUES('R-20261101-abcde',36,'choose#2','ana','14f8af514243922c99d0536341330dcb');
INSERT INTO "answer" VALUES('R-20261101-abcde',39,'choose#2','bo','14f8af514243922c99d0536341330dcb');
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
INSERT INTO "event" VALUES('R-20261101-abcde',6,'2026-11-01T03:00:00.013000Z','attempt.handle','single',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/single/engine"}}','037f354135fee614d0460abd424be61626bda9eeb4f9278b1fa69b4f99fc8927');
INSERT INTO "event" VALUES('R-20261101-abcde',7,'2026-11-01T03:00:00.014000Z','attempt.result','single',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','50032a4d42a409b1bd373d33fb5c6c48e393f21f5f61b2443659265c8a1ca720');
INSERT INTO "event" VALUES('R-20261101-abcde',8,'2026-11-01T03:00:00.015000Z','attempt.finished','single',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','7a335443651add6dbf9c48c953720df9a8860e73d4a9380ca861f87fe991463e');
INSERT INTO "event" VALUES('R-20261101-abcde',9,'2026-11-01T03:00:00.019000Z','attempt.intent','blind',NULL,1,1,'{"describes":["do R-20261101-abcde/blind/engine"],"effect":"once","input":{},"key":"R-20261101-abcde/blind/engine"}','01374516282b46cd2ec5b83a433dbca5fa85848c77222ae5d67d143f8ea74c79');
INSERT INTO "event" VALUES('R-20261101-abcde',10,'2026-11-01T03:00:00.020000Z','attempt.handle','blind',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/blind/engine"}}','85b8d4c564fa08a31483b3ca1cbfa95e485b68e77d7dbbb3b15f3dba682156a3');
INSERT INTO "event" VALUES('R-20261101-abcde',11,'2026-11-01T03:00:00.021000Z','attempt.result','blind',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','4a2313e0e4a79e89302f8d444f3049c5caab573e4425c0484e2f69ed3e41504a');
INSERT INTO "event" VALUES('R-20261101-abcde',12,'2026-11-01T03:00:00.023000Z','attempt.finished','blind',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','22673dd93cdfc84168df8f9888b653f88aaa473defba3ca505b5587fc0f12180');
INSERT INTO "event" VALUES('R-20261101-abcde',13,'2026-11-01T03:00:00.028000Z','question.opened','choose',NULL,NULL,1,'{"question":{"approvers":"leadership","asks":{"en":"Go?","zh":"执行吗"},"card":{},"checklist":[],"chooses":"ladder","decide_by":null,"distinct_from":["cai"],"escalate":[],"evidence":[],"expires":null,"host":null,"id":"choose#1","kind":"gate","max_loss_s":null,"nonce":"2ceec1deba4db8d3d595f2f0cacb3693","on_timeout":"fail","opened":"2026-11-01T03:00:00.027000Z","options":[{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":[],"loss_known":false,"loss_s":null,"name":"first","p50_s":null,"p90_s":null,"proposed":true,"title":{"en":"","zh":""}},{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":["three"],"loss_known":false,"loss_s":null,"name":"second","p50_s":null,"p90_s":null,"proposed":false,"title":{"en":"","zh":""}}],"plan_hash":"5e0feee67313722f5a4c732ce17542b9554b697a045bea43a6cb4a76bc3f592c","quorum":2,"standing":false,"step":"choose","verdicts":["approve","reject"]}}','9ee10e92ef458a1ef4833ed73d64da5a769fa6e6c752cc49a78cf6fc62519ca4');
INSERT INTO "event" VALUES('R-20261101-abcde',14,'2026-11-01T03:00:00.033000Z','run.state',NULL,NULL,NULL,1,'{"because":"gate ''choose'' waits for people","state":"waiting"}','1bf72f7a19cb8b4f45836ae4dcd2d6c02c10f80ef3892471875e475e3230f5e3');
INSERT INTO "event" VALUES('R-20261101-abcde',15,'2026-11-01T03:00:00.035000Z','question.answered','choose',NULL,NULL,1,'{"answer":{"at":"2026-11-01T03:00:00.034000Z","by":"ana","choice":"first","evidence":{},"expires":null,"max_loss_s":null,"means":"terminal","reason":"yes","signature":"","statement":"","verdict":"approve","witnesses":[]},"question":"choose#1"}','5a45571208adbe4d038f0189c89b038683f148cbe0312780c077f4e5555bfead');
INSERT INTO "event" VALUES('R-20261101-abcde',16,'2026-11-01T03:00:00.039000Z','question.answered','choose',NULL,NULL,1,'{"answer":{"at":"2026-11-01T03:00:00.038000Z","by":"bo","choice":"first","evidence":{},"expires":null,"max_loss_s":null,"means":"terminal","reason":"yes","signature":"","statement":"","verdict":"approve","witnesses":[]},"question":"choose#1"}','723698ffbcf0b91db75537dff7de18596d0fa8c4c7b3a7688a717827f50cb891');
INSERT INTO "event" VALUES('R-20261101-abcde',17,'2026-11-01T03:00:00.042000Z','run.state',NULL,NULL,NULL,1,'{"because":"","state":"running"}','a298975a7ad25e5acc6d9bf637b5946cb45a8eb8d32fedf10106f57c30f0203d');
INSERT INTO "event" VALUES('R-20261101-abcde',18,'2026-11-01T03:00:00.045000Z','question.closed','choose',NULL,NULL,1,'{"answers":["ana","bo"],"because":"","outcome":"approved","question":"choose#1"}','594c9ebf3ee31cbd3841e5ab9a649fb091b3038c5c464813f07e0e05f5ac5a41');
INSERT INTO "event" VALUES('R-20261101-abcde',19,'2026-11-01T03:00:00.045000Z','step.finished','choose',NULL,NULL,1,'{"outputs":{"approved_by":["ana","bo"],"choice":"first","expires":null,"max_loss_s":null,"means":["terminal","terminal"],"reasons":["yes","yes"]},"state":"succeeded"}','dcaa4c6ce7347bdd3122bb9fe893ccca9846425fe1ace2ae96e6c686fad94f8a');
INSERT INTO "event" VALUES('R-20261101-abcde',20,'2026-11-01T03:00:00.050000Z','rung.started','ladder',NULL,NULL,1,'{"forecast":{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":[],"loss_known":false,"loss_s":null,"name":"first","p50_s":null,"p90_s":null,"proposed":true,"title":{"en":"","zh":""}},"rung":"first"}','f3033cb5bfd878a13a3b07de73f9201479ba251eda756ad87ac424ffc7fd7a99');
INSERT INTO "event" VALUES('R-20261101-abcde',21,'2026-11-01T03:00:00.055000Z','attempt.intent','one',NULL,1,1,'{"describes":["do R-20261101-abcde/one/engine"],"effect":"once","input":{},"key":"R-20261101-abcde/one/engine"}','3a3814ef91cbb91443a66f73cf09a4ac04e35a8f49f7af12ea0e751189d65b45');
INSERT INTO "event" VALUES('R-20261101-abcde',22,'2026-11-01T03:00:00.056000Z','attempt.handle','one',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/one/engine"}}','a86d00d6e8107591a9fe12b50fafe765a71f0c4ee5609b7f39c83afe773de57f');
INSERT INTO "event" VALUES('R-20261101-abcde',23,'2026-11-01T03:00:00.058000Z','attempt.result','one',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','977d3deca343ae80aa3b3deac51cc194339594b99bc5cf973e0f82c145fa664d');
INSERT INTO "event" VALUES('R-20261101-abcde',24,'2026-11-01T03:00:00.059000Z','attempt.finished','one',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','0d088d2af2f37ebe5490c061742fe86e1cd5f5c836bc88a3e64c19348bf36ef6');
INSERT INTO "event" VALUES('R-20261101-abcde',25,'2026-11-01T03:00:00.063000Z','attempt.intent','two',NULL,1,1,'{"describes":["do R-20261101-abcde/two/engine"],"effect":"once","input":{},"key":"R-20261101-abcde/two/engine"}','a0237bd4acaadb85a1c60ae14f7ee98e0307987a8be9a80a035fa7044839dd1e');
INSERT INTO "event" VALUES('R-20261101-abcde',26,'2026-11-01T03:00:00.064000Z','attempt.handle','two',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/two/engine"}}','c3f9ee749b9f2e5c9cd1761b16132a99237f571f84c8fa4976327c3d6298f335');
INSERT INTO "event" VALUES('R-20261101-abcde',27,'2026-11-01T03:00:00.065000Z','attempt.finished','two',NULL,1,1,'{"error":{"code":"refused","effect":"none","facts":{"before":true},"hint":"","message":"no"},"state":"failed"}','2fef84d2adfa193a91f28f95bd266ef4e795f95ad05b6c8bfaa456a6b0f9b1b7');
INSERT INTO "event" VALUES('R-20261101-abcde',28,'2026-11-01T03:00:00.067000Z','rung.failed','ladder',NULL,NULL,1,'{"because":"step ''two'': no","rung":"first"}','4912d67fbb423d374cdb83039c1aca11d6f33065d895cd72cac4ac175d2be485');
INSERT INTO "event" VALUES('R-20261101-abcde',29,'2026-11-01T03:00:00.070000Z','undo.intent','one',NULL,1,1,'{"describes":["do R-20261101-abcde/one.undo/engine"]}','3513a553efb251cd5af393e4da7213e19af637a37c02864a237e3bb2b65c1d9b');
INSERT INTO "event" VALUES('R-20261101-abcde',30,'2026-11-01T03:00:00.071000Z','undo.finished','one',NULL,1,1,'{"state":"undone"}','7fff7303736169abc6ff921c75dae36d31d624a207f306dd72a7e57ef51b27ef');
INSERT INTO "event" VALUES('R-20261101-abcde',31,'2026-11-01T03:00:00.073000Z','rung.closed','ladder',NULL,NULL,1,'{"how":"undone","rung":"first"}','74310e2000c71e9d01adc352cc96b75d22c4f09fffcfdfd9d546a728736eae96');
INSERT INTO "event" VALUES('R-20261101-abcde',32,'2026-11-01T03:00:00.077000Z','step.reopened','choose',NULL,NULL,1,'{"because":"rung ''second'' lies outside the approval","rungs":false}','2a6a057317194cb891d613721a43548b285fd230eba3648c45f064835b8ffc85');
INSERT INTO "event" VALUES('R-20261101-abcde',33,'2026-11-01T03:00:00.077000Z','step.reopened','ladder',NULL,NULL,1,'{"because":"rung ''second'' lies outside the approval","rungs":false}','dc2c41aaeb63c57d8dab38ad94e682f0ef6d926bb33b5a0128258e450eeb78da');
INSERT INTO "event" VALUES('R-20261101-abcde',34,'2026-11-01T03:00:00.083000Z','question.opened','choose',NULL,NULL,1,'{"question":{"approvers":"leadership","asks":{"en":"Go? (asked again: rung ''second'' lies outside the approval)","zh":"执行吗（再次请示：rung ''second'' lies outside the approval）"},"card":{},"checklist":[],"chooses":"ladder","decide_by":null,"distinct_from":["cai"],"escalate":[],"evidence":[],"expires":null,"host":null,"id":"choose#2","kind":"gate","max_loss_s":null,"nonce":"14f8af514243922c99d0536341330dcb","on_timeout":"fail","opened":"2026-11-01T03:00:00.081000Z","options":[{"available":false,"basis":{"en":"","zh":""},"because":{"en":"it was tried and failed: step ''two'': no","zh":"已尝试并失败：step ''two'': no"},"irreversible":[],"loss_known":false,"loss_s":null,"name":"first","p50_s":null,"p90_s":null,"proposed":false,"title":{"en":"","zh":""}},{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":["three"],"loss_known":false,"loss_s":null,"name":"second","p50_s":null,"p90_s":null,"proposed":true,"title":{"en":"","zh":""}}],"plan_hash":"4c2b1fe5c2d8d83b72d45c8f5c4d3be56c7f6faf4f50cd06ff349660a70807cd","quorum":2,"standing":false,"step":"choose","verdicts":["approve","reject"]}}','48a1535051e97baf10a456a4bee22eadf6d26f12ce7301d4296e86d653df10c9');
INSERT INTO "event" VALUES('R-20261101-abcde',35,'2026-11-01T03:00:00.090000Z','run.state',NULL,NULL,NULL,1,'{"because":"gate ''choose'' waits for people","state":"waiting"}','0bfc30b3e1fc9391316c43aad81a0c276be516c14d4251546d9ca7629ee0a7e4');
INSERT INTO "event" VALUES('R-20261101-abcde',36,'2026-11-01T03:00:00.094000Z','question.answered','choose',NULL,NULL,1,'{"answer":{"at":"2026-11-01T03:00:00.093000Z","by":"ana","choice":"second","evidence":{},"expires":null,"max_loss_s":null,"means":"terminal","reason":"yes","signature":"","statement":"","verdict":"approve","witnesses":[]},"question":"choose#2"}','abb074ea1286ecbc63f21817d2fe100f2684168b59bff262bad91ca7466afe59');
INSERT INTO "event" VALUES('R-20261101-abcde',37,'2026-11-01T03:00:00.097000Z','run.state',NULL,NULL,NULL,1,'{"because":"","state":"running"}','b4dc94ab37815b3f48fd4a194b2c595e26bcf7b003260b17394727c5ca795248');
INSERT INTO "event" VALUES('R-20261101-abcde',38,'2026-11-01T03:00:00.100000Z','run.state',NULL,NULL,NULL,1,'{"because":"gate ''choose'' waits for people","state":"waiting"}','dfde32603f3e76c5c8b8eb903891627f18af34fabfa88a559b9192f4b7d1e959');
INSERT INTO "event" VALUES('R-20261101-abcde',39,'2026-11-01T03:00:00.104000Z','question.answered','choose',NULL,NULL,1,'{"answer":{"at":"2026-11-01T03:00:00.103000Z","by":"bo","choice":"second","evidence":{},"expires":null,"max_loss_s":null,"means":"terminal","reason":"yes","signature":"","statement":"","verdict":"approve","witnesses":[]},"question":"choose#2"}','788fa541e1b8dab4d14426f6dfa2ff219ea3c82506bf12e5b683dd2395381db3');
INSERT INTO "event" VALUES('R-20261101-abcde',40,'2026-11-01T03:00:00.107000Z','question.closed','choose',NULL,NULL,1,'{"answers":["ana","bo"],"because":"","outcome":"approved","question":"choose#2"}','da29789b1224e3a960efc9f472bb7d1633a63b40a37ef01cae37fa288ee36af6');
INSERT INTO "event" VALUES('R-20261101-abcde',41,'2026-11-01T03:00:00.107000Z','step.finished','choose',NULL,NULL,1,'{"outputs":{"approved_by":["ana","bo"],"choice":"second","expires":null,"max_loss_s":null,"means":["terminal","terminal"],"reasons":["yes","yes"]},"state":"succeeded"}','e032175cac658828c2ff463a429d23a2d2134c51f68a21cfe2ca35f594ed83e9');
INSERT INTO "event" VALUES('R-20261101-abcde',42,'2026-11-01T03:00:00.108000Z','run.state',NULL,NULL,NULL,1,'{"because":"","state":"running"}','dc2a7bfad0025e68a670bad107140077bc55b0c3543eba17e7ea6208194ca21e');
INSERT INTO "event" VALUES('R-20261101-abcde',43,'2026-11-01T03:00:00.112000Z','rung.started','ladder',NULL,NULL,1,'{"forecast":{"available":true,"basis":{"en":"","zh":""},"because":{"en":"","zh":""},"irreversible":["three"],"loss_known":false,"loss_s":null,"name":"second","p50_s":null,"p90_s":null,"proposed":true,"title":{"en":"","zh":""}},"rung":"second"}','e1ee173479c17953c6d4c7354b951b311b9a11e03ea7970c39602e5fc2e352d0');
INSERT INTO "event" VALUES('R-20261101-abcde',44,'2026-11-01T03:00:00.116000Z','attempt.intent','three',NULL,1,1,'{"describes":["do R-20261101-abcde/three/engine"],"effect":"irreversible","input":{},"key":"R-20261101-abcde/three/engine"}','905b26728750d00a699ea1c20ff1071c152bfe083fb38a5e266af80687c1b1d5');
INSERT INTO "event" VALUES('R-20261101-abcde',45,'2026-11-01T03:00:00.117000Z','attempt.handle','three',NULL,1,1,'{"handle":{"job":"R-20261101-abcde/three/engine"}}','ad3d3c92f1bed8d5ac1c2b1684dd798608745d61f2e66d9805aaa22788b9c8ff');
INSERT INTO "event" VALUES('R-20261101-abcde',46,'2026-11-01T03:00:00.119000Z','attempt.result','three',NULL,1,1,'{"facts":{},"outputs":{"value":1}}','28c800cadec3cfd328f7a6e7b7bf2755ba33290f42daa15d79cce2ca85b25ec7');
INSERT INTO "event" VALUES('R-20261101-abcde',47,'2026-11-01T03:00:00.120000Z','attempt.finished','three',NULL,1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','2610779982fec106fb4d0ab4ffd3377fb12a33950dd85a60c024da015ccbf936');
INSERT INTO "event" VALUES('R-20261101-abcde',48,'2026-11-01T03:00:00.122000Z','step.finished','ladder',NULL,NULL,1,'{"outputs":{"rung":"second","value":1},"state":"succeeded"}','23d313fef09e125932daadbcce3b487985ef032705a60835ec9b591a34035f56');
INSERT INTO "event" VALUES('R-20261101-abcde',49,'2026-11-01T03:00:00.125000Z','step.planned','fan',NULL,NULL,1,'{"batches":[["web-1"],["web-2","web-3","web-4"]],"hosts":["web-1","web-2","web-3","web-4"]}','63d3964e9c1819d59dbe0b4d53ae06b833e9b608e8e280ddcc6e281198e45cbb');
INSERT INTO "event" VALUES('R-20261101-abcde',50,'2026-11-01T03:00:00.128000Z','attempt.intent','fan','web-1',1,1,'{"describes":["do R-20261101-abcde/fan/web-1"],"effect":"once","input":{},"key":"R-20261101-abcde/fan/web-1"}','c9aaf62807288462c386500be29092f35a577c87943029b538478cbfb7a1d899');
INSERT INTO "event" VALUES('R-20261101-abcde',51,'2026-11-01T03:00:00.130000Z','attempt.handle','fan','web-1',1,1,'{"handle":{"job":"R-20261101-abcde/fan/web-1"}}','5d998c83770e4bcfa448755109e1d62deee11db38215bd091048642bd65504f3');
INSERT INTO "event" VALUES('R-20261101-abcde',52,'2026-11-01T03:00:00.131000Z','attempt.result','fan','web-1',1,1,'{"facts":{},"outputs":{"value":1}}','2635d9b5341f5643de3c2bbff394b74739b70c6fa811afebb7af3adb7c8b5628');
INSERT INTO "event" VALUES('R-20261101-abcde',53,'2026-11-01T03:00:00.133000Z','attempt.finished','fan','web-1',1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','c9d890a43bd8d784d1b5033099a0d442d1910c6e17b761b83a4a18164eb1ca4d');
INSERT INTO "event" VALUES('R-20261101-abcde',54,'2026-11-01T03:00:00.138000Z','attempt.intent','fan','web-3',1,1,'{"describes":["do R-20261101-abcde/fan/web-3"],"effect":"once","input":{},"key":"R-20261101-abcde/fan/web-3"}','726da001284e818f618b5006fe09de7990b0604bef140228ca8ee8f687cf0ae0');
INSERT INTO "event" VALUES('R-20261101-abcde',55,'2026-11-01T03:00:00.140000Z','attempt.intent','fan','web-4',1,1,'{"describes":["do R-20261101-abcde/fan/web-4"],"effect":"once","input":{},"key":"R-20261101-abcde/fan/web-4"}','529a938c763a16597c024c9926baa11ec5d39875a804e8939d8b361685ac0f62');
INSERT INTO "event" VALUES('R-20261101-abcde',56,'2026-11-01T03:00:00.140000Z','attempt.intent','fan','web-2',1,1,'{"describes":["do R-20261101-abcde/fan/web-2"],"effect":"once","input":{},"key":"R-20261101-abcde/fan/web-2"}','5c33badfc0782988b576d3573904d2e24d1db3697f7f171660fb07ac55cccf7e');
INSERT INTO "event" VALUES('R-20261101-abcde',57,'2026-11-01T03:00:00.142000Z','attempt.handle','fan','web-3',1,1,'{"handle":{"job":"R-20261101-abcde/fan/web-3"}}','f42829e205b425bbe84b06b55243067b40b181a54a3373b032753bcba3ce996b');
INSERT INTO "event" VALUES('R-20261101-abcde',58,'2026-11-01T03:00:00.142000Z','attempt.handle','fan','web-4',1,1,'{"handle":{"job":"R-20261101-abcde/fan/web-4"}}','3054685f598b865864f3b25b6572b1e39747118d58df058786a18f23cace85a7');
INSERT INTO "event" VALUES('R-20261101-abcde',59,'2026-11-01T03:00:00.144000Z','attempt.handle','fan','web-2',1,1,'{"handle":{"job":"R-20261101-abcde/fan/web-2"}}','997a92d5c1411452121730952dc2b1448157402f9130402e54b2af27885f1dfe');
INSERT INTO "event" VALUES('R-20261101-abcde',60,'2026-11-01T03:00:00.145000Z','attempt.result','fan','web-4',1,1,'{"facts":{},"outputs":{"value":1}}','4f9034184e9d5ca46d28bc9f52da7f89bdcaefa967fb65ddfb1e13f5bd35db3c');
INSERT INTO "event" VALUES('R-20261101-abcde',61,'2026-11-01T03:00:00.148000Z','attempt.result','fan','web-3',1,1,'{"facts":{},"outputs":{"value":1}}','5237476b053822a23c3f6c10d0ae3ff8f3656da8cb2b10a6502dfeec8d0d861a');
INSERT INTO "event" VALUES('R-20261101-abcde',62,'2026-11-01T03:00:00.148000Z','attempt.result','fan','web-2',1,1,'{"facts":{},"outputs":{"value":1}}','631d90e163fa85b1bfa7b861d7e39b527b228af5e3eb2d01e5710cc837203ba4');
INSERT INTO "event" VALUES('R-20261101-abcde',63,'2026-11-01T03:00:00.149000Z','attempt.finished','fan','web-4',1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','404550e814350d1eb47cba52731182d1feed44d3df9de5f09ba4d3eb62bfad62');
INSERT INTO "event" VALUES('R-20261101-abcde',64,'2026-11-01T03:00:00.150000Z','attempt.finished','fan','web-2',1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','e2cb2ec770b8bb70f82d95f29468aa2d5a59705ae0814c6de216e7b9f6f84259');
INSERT INTO "event" VALUES('R-20261101-abcde',65,'2026-11-01T03:00:00.151000Z','attempt.finished','fan','web-3',1,1,'{"facts":{},"outputs":{"value":1},"state":"succeeded"}','94b6e91eab0c7eafbd3a8b72ba145a5261406f331d3d7cb0723a3d38be263556');
INSERT INTO "event" VALUES('R-20261101-abcde',66,'2026-11-01T03:00:00.153000Z','step.finished','fan',NULL,NULL,1,'{"outputs":{"failed":[],"hosts":{"web-1":{"value":1},"web-2":{"value":1},"web-3":{"value":1},"web-4":{"value":1}},"not_started":[]},"state":"succeeded"}','e9507b20035476486c2beefb07dd65cefcf702fb44124b3803b9a0ee8d3c6ce7');
INSERT INTO "event" VALUES('R-20261101-abcde',67,'2026-11-01T03:00:00.157000Z','question.opened','person',NULL,NULL,1,'{"question":{"approvers":"support","asks":{"en":"x","zh":"x"},"card":{},"checklist":[],"chooses":null,"decide_by":null,"distinct_from":[],"escalate":[],"evidence":[],"expires":null,"host":null,"id":"person#1","kind":"task","max_loss_s":null,"nonce":"922e36af606b4462aa86c5b47ff71a5a","on_timeout":"wait","opened":"2026-11-01T03:00:00.156000Z","options":[],"plan_hash":"","quorum":1,"standing":false,"step":"person","verdicts":["done","failed"]}}','53c9240aef8c85549a0be6f7a52b37795e41615508e0a1beef9f19f771c2b998');
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
INSERT INTO "question" VALUES('R-20261101-abcde','choose#1','choose','gate','closed','2ceec1deba4db8d3d595f2f0cacb3693','approved',13);
INSERT INTO "question" VALUES('R-20261101-abcde','choose#2','choose','gate','closed','14f8af514243922c99d0536341330dcb','approved',34);
INSERT INTO "question" VALUES('R-20261101-abcde','person#1','person','task','open','922e36af606b4462aa86c5b47ff71a5a',NULL,67);
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
INSERT INTO "run" VALUES('R-20261101-abcde','golden','51f335deae9a6e78a20101268d372c7769861f9fc4f9e47b9182d296838a91f6','made-up.yaml','lab','real','cai','2026-11-01T03:00:00.000000Z','[]','{}','running',1,67,'53c9240aef8c85549a0be6f7a52b37795e41615508e0a1beef9f19f771c2b998','2026-11-01T03:00:00.157000Z');
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
