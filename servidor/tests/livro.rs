//! O livro e o extrato, sem servidor: o que se escreve, o que se recusa, o que se confere.
//!
//! As quedas do programa de verdade, o disco cheio e as chamadas de sistema estão nos testes de ponta
//! a ponta; a ordem entre firmar e responder, na simulação.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use proptest::prelude::*;
use rusqlite::Connection;
use servidor::extrato::{Falha, Forma, Veredito, extrair};
use servidor::livro::{Contas, Livro};
use servidor::loja::Venda;
use tempfile::TempDir;

/// Uma pasta com um livro por fazer.
fn pasta() -> (TempDir, PathBuf) {
    let pasta = tempfile::tempdir().unwrap();
    let livro = pasta.path().join("vendas.db");
    (pasta, livro)
}

/// As próximas `quantas` vendas de um livro, de um cliente só.
fn vender(livro: &mut Livro, quantas: u64) {
    let endereco = SocketAddr::from(([192, 0, 2, 1], 4000));
    let restantes = livro.contas().restantes();
    let vendas: Vec<Venda> =
        (1..=quantas).map(|n| Venda { endereco, restante: restantes - n }).collect();
    livro.firmar(&vendas).unwrap();
}

/// O livro que um servidor deixou depois de vender 3 de 10, e de mais 5 que repuseram, 4.
fn livro_com_historia(caminho: &Path) {
    vender(&mut Livro::abrir(caminho, Some(10)).unwrap(), 3);
    Livro::repor(caminho, 5).unwrap();
    vender(&mut Livro::abrir(caminho, None).unwrap(), 4);
}

fn extrato(caminho: &Path, forma: Forma) -> (String, Veredito) {
    let mut saida = Vec::new();
    let veredito = extrair(caminho, forma, &mut saida).unwrap_or_else(|falha| panic!("{falha:?}"));
    (String::from_utf8(saida).unwrap(), veredito)
}

/// A explicação, que é uma linha só, de por que não se abre.
fn nao_abre(caminho: &Path, estoque: Option<u64>) -> String {
    let erro = Livro::abrir(caminho, estoque).expect_err("abriu").to_string();
    assert!(!erro.contains('\n') && erro.contains(&caminho.display().to_string()), "{erro}");
    erro
}

/// Ao lado do livro não ficou nada: o que o SQLite deixasse ali seria de quem passou, e não do servidor.
fn esta_so(livro: &Path) -> bool {
    fs::read_dir(livro.parent().unwrap()).unwrap().count() == 1
}

#[test]
fn o_que_se_firmou_esta_la_quando_se_abre_de_novo() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    assert_eq!(livro.contas(), Contas { inicial: 10, repostas: 0, vendidas: 0 });
    vender(&mut livro, 2);
    vender(&mut livro, 1);
    drop(livro);
    // Com o mesmo estoque, ou sem dizer nenhum.
    for estoque in [Some(10), None] {
        let contas = Livro::abrir(&caminho, estoque).unwrap().contas();
        assert_eq!((contas.vendidas, contas.restantes()), (3, 7));
        assert_eq!(contas.to_string(), "3 de 10 vendidas");
    }
}

#[test]
fn sem_dizer_o_estoque_um_livro_novo_tem_o_da_atividade() {
    let (_pasta, caminho) = pasta();
    assert_eq!(Livro::abrir(&caminho, None).unwrap().contas().inicial, 10);
}

#[test]
fn repor_fica_anotado_e_o_livro_continua_a_fechar() {
    let (_pasta, caminho) = pasta();
    vender(&mut Livro::abrir(&caminho, Some(3)).unwrap(), 3);
    let contas = Livro::repor(&caminho, 5).unwrap();
    assert_eq!(contas, Contas { inicial: 3, repostas: 5, vendidas: 3 });
    let mut livro = Livro::abrir(&caminho, Some(3)).unwrap();
    vender(&mut livro, 5);
    assert_eq!(livro.contas().restantes(), 0);
    drop(livro);
    assert_eq!(extrato(&caminho, Forma::Tabela).1.dano, None);
}

#[test]
fn repor_pede_um_livro_que_exista_e_uma_soma_que_caiba() {
    let (_pasta, caminho) = pasta();
    let erro = Livro::repor(&caminho, 5).unwrap_err().to_string();
    assert!(erro.contains("não existe") && !caminho.exists(), "{erro}");
    let maximo = i64::MAX as u64;
    let erro = Livro::abrir(&caminho, Some(maximo + 1)).unwrap_err().to_string();
    assert!(erro.contains("não conta mais de 9223372036854775807"), "{erro}");
    drop(Livro::abrir(&caminho, Some(maximo)).unwrap());
    for unidades in [1, u64::MAX] {
        let erro = Livro::repor(&caminho, unidades).unwrap_err().to_string();
        assert!(erro.contains("não conta mais de"), "{erro}");
    }
}

#[test]
fn um_livro_aberto_nao_se_abre_de_novo_mas_se_le() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, None).unwrap();
    vender(&mut livro, 1);
    assert!(nao_abre(&caminho, None).contains("outro servidor"));
    let erro = Livro::repor(&caminho, 1).unwrap_err().to_string();
    assert!(erro.contains("outro servidor"), "{erro}");
    assert_eq!(extrato(&caminho, Forma::Tabela).1.contas.vendidas, 1);
    // O programa de outra pessoa também lê, e não atrapalha quem vende.
    let outro = Connection::open(&caminho).unwrap();
    let contar =
        || -> u64 {
            outro
                .query_row("SELECT count(*) FROM vendas", [], |linha| {
                    Ok(linha.get::<_, i64>(0)? as u64)
                })
                .unwrap()
        };
    assert_eq!(contar(), 1);
    vender(&mut livro, 2);
    assert_eq!(contar(), 3);
}

#[test]
fn abrir_com_outro_estoque_diz_o_que_fazer_e_nao_muda_nada() {
    let (_pasta, caminho) = pasta();
    livro_com_historia(&caminho);
    let antes = fs::read(&caminho).unwrap();
    let erro = nao_abre(&caminho, Some(20));
    for pista in ["com 10", "com 20", "--estoque", "--repor"] {
        assert!(erro.contains(pista), "{erro}");
    }
    assert_eq!(fs::read(&caminho).unwrap(), antes);
}

#[test]
fn o_que_nao_e_um_livro_fica_como_estava() {
    let (pasta, caminho) = pasta();
    let alheio = pasta.path().join("alheio.db");
    Connection::open(&alheio).unwrap().execute_batch("CREATE TABLE contas (x)").unwrap();
    let alheio = fs::read(alheio).unwrap();
    let zeros = [0; 4096];
    for conteudo in [b"oi\n", &alheio[..], &alheio[..70], b"SQLite format 3\0", &zeros] {
        fs::write(&caminho, conteudo).unwrap();
        assert!(nao_abre(&caminho, None).contains("não é um livro"), "{}", conteudo.len());
        assert_eq!(fs::read(&caminho).unwrap(), conteudo);
        assert!(matches!(extrair(&caminho, Forma::Csv, &mut Vec::new()), Err(Falha::Livro(_))));
    }
    assert_eq!(fs::read_dir(pasta.path()).unwrap().count(), 2, "deixou um arquivo ao lado");
    assert!(nao_abre(pasta.path(), None).contains("é um diretório"));
}

#[test]
fn ler_um_livro_parado_ou_recusar_um_nao_deixa_nada_ao_lado() {
    let (_pasta, caminho) = pasta();
    livro_com_historia(&caminho);
    for forma in [Forma::Tabela, Forma::Csv, Forma::Json] {
        extrato(&caminho, forma);
        assert!(esta_so(&caminho), "{forma:?}");
    }
    nao_abre(&caminho, Some(20));
    assert!(esta_so(&caminho));
}

#[test]
fn um_extrato_que_ninguem_le_nao_segura_o_livro_e_mostra_um_instante() {
    /// A cada escrita do extrato, vende uma unidade.
    struct Vendedor(PathBuf, u64, Vec<u8>);
    impl Write for Vendedor {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            vender(&mut Livro::abrir(&self.0, None).unwrap(), 1);
            self.1 += 1;
            self.2.extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (_pasta, caminho) = pasta();
    livro_com_historia(&caminho);
    Livro::repor(&caminho, 1000).unwrap();
    let (antes, _) = extrato(&caminho, Forma::Tabela);
    let mut vendedor = Vendedor(caminho.clone(), 0, Vec::new());
    extrair(&caminho, Forma::Tabela, &mut vendedor).unwrap_or_else(|falha| panic!("{falha:?}"));
    assert!(vendedor.1 > 10);
    assert_eq!(String::from_utf8(vendedor.2).unwrap(), antes);
    assert_eq!(extrato(&caminho, Forma::Csv).1.contas.vendidas, 7 + vendedor.1);
}

#[test]
fn um_extrato_de_muitos_pedacos_nao_pula_nem_repete_venda() {
    let (_pasta, caminho) = pasta();
    vender(&mut Livro::abrir(&caminho, Some(40_000)).unwrap(), 30_001);
    let (csv, veredito) = extrato(&caminho, Forma::Csv);
    assert_eq!(veredito.contas.vendidas, 30_001);
    let mut planilha = csv::Reader::from_reader(csv.as_bytes());
    let numeros = planilha.records().map(|linha| linha.unwrap()[0].parse::<u64>().unwrap());
    assert!(numeros.eq(1..=30_001));
}

#[test]
fn por_um_atalho_o_livro_e_o_mesmo() {
    let (pasta, caminho) = pasta();
    let outra = tempfile::tempdir().unwrap();
    let atalho = outra.path().join("atalho.db");
    std::os::unix::fs::symlink(&caminho, &atalho).unwrap();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 3);
    // Como depois de uma queda: o que se vendeu está só no WAL, ao lado do original.
    for sufixo in ["", "-wal"] {
        let de = pasta.path().join(format!("vendas.db{sufixo}"));
        fs::copy(&de, pasta.path().join(format!("queda.db{sufixo}"))).unwrap();
    }
    drop(livro);
    let atalho_da_queda = outra.path().join("queda.db");
    std::os::unix::fs::symlink(pasta.path().join("queda.db"), &atalho_da_queda).unwrap();
    assert_eq!(extrato(&atalho_da_queda, Forma::Csv).1.contas.vendidas, 3);
    assert_eq!(Livro::abrir(&atalho_da_queda, None).unwrap().contas().vendidas, 3);
    assert_eq!(Livro::abrir(&atalho, Some(10)).unwrap().contas().vendidas, 3);
    assert_eq!(fs::read_dir(outra.path()).unwrap().count(), 2, "deixou algo ao lado do atalho");
}

#[test]
fn um_livro_vazio_nao_apaga_o_wal_de_ninguem() {
    let (pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 3);
    // Alguém tira o livro do lugar com o servidor aberto, e abre outro ali.
    let ontem = pasta.path().join("ontem.db");
    fs::rename(&caminho, &ontem).unwrap();
    let wal = pasta.path().join("vendas.db-wal");
    let antes = fs::read(&wal).unwrap();
    assert!(nao_abre(&caminho, None).contains("há vendas em um -wal"));
    assert_eq!(fs::read(&wal).unwrap(), antes);
    assert!(!caminho.exists());
}

/// A explicação de por que a venda seguinte não se firma.
fn nao_firma(livro: &mut Livro) -> String {
    let endereco = SocketAddr::from(([192, 0, 2, 1], 4000));
    let restante = livro.contas().restantes() - 1;
    livro.firmar(&[Venda { endereco, restante }]).expect_err("firmou").to_string()
}

/// O livro como uma queda o deixaria agora, em outra pasta; só com os arquivos destes sufixos.
fn como_depois_de_uma_queda(caminho: &Path, sufixos: &[&str]) -> (TempDir, PathBuf) {
    let (outra, copia) = pasta();
    for sufixo in sufixos {
        let com_sufixo = |caminho: &Path| format!("{}{sufixo}", caminho.display());
        fs::copy(com_sufixo(caminho), com_sufixo(&copia)).unwrap();
    }
    (outra, copia)
}

#[test]
fn quem_escreve_por_fora_faz_o_livro_parar() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 2);
    // Ler não muda nada.
    let outro = Connection::open(&caminho).unwrap();
    outro.query_row("SELECT max(numero) FROM vendas", [], |linha| linha.get::<_, i64>(0)).unwrap();
    vender(&mut livro, 1);
    outro.execute("DELETE FROM vendas WHERE numero = 1", []).unwrap();
    let erro = nao_firma(&mut livro);
    assert!(erro.contains("mudado por outro programa"), "{erro}");
}

#[test]
fn quem_passa_o_wal_a_limpo_por_fora_nao_atrapalha() {
    for modo in ["PASSIVE", "FULL", "RESTART", "TRUNCATE"] {
        let (_pasta, caminho) = pasta();
        let mut livro = Livro::abrir(&caminho, Some(100)).unwrap();
        let outro = Connection::open(&caminho).unwrap();
        // Duas vezes, com vendas antes, entre elas e depois.
        for _ in 0..2 {
            vender(&mut livro, 3);
            outro
                .query_row(&format!("PRAGMA wal_checkpoint({modo})"), [], |linha| {
                    assert_eq!(linha.get::<_, i64>(0)?, 0, "{modo}: não passou");
                    Ok(())
                })
                .unwrap();
            // Tudo passou: agora, e só agora, o arquivo sozinho diz tudo.
            let (_outra, so_o_arquivo) = como_depois_de_uma_queda(&caminho, &[""]);
            let vendidas = livro.contas().vendidas;
            assert_eq!(Livro::abrir(&so_o_arquivo, None).unwrap().contas().vendidas, vendidas);
        }
        vender(&mut livro, 3);
        let (_outra, so_o_arquivo) = como_depois_de_uma_queda(&caminho, &[""]);
        assert!(nao_abre(&so_o_arquivo, None).contains("vendas.db-wal"), "{modo}");
        let (_outra, inteiro) = como_depois_de_uma_queda(&caminho, &["", "-wal"]);
        assert_eq!(Livro::abrir(&inteiro, None).unwrap().contas().vendidas, 9, "{modo}");
    }
}

#[test]
fn o_arquivo_sem_o_wal_ou_com_outro_e_recusado() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 3);
    let (_outra, sozinho) = como_depois_de_uma_queda(&caminho, &[""]);
    let antes = fs::read(&sozinho).unwrap();
    let erro = nao_abre(&sozinho, None);
    assert!(erro.contains("vendas.db-wal") && erro.contains("traga-o de volta"), "{erro}");
    assert!(Livro::repor(&sozinho, 5).unwrap_err().to_string().contains("vendas.db-wal"));
    // O extrato mostra o que há, e diz que não é tudo.
    let (texto, veredito) = extrato(&sozinho, Forma::Tabela);
    assert!(veredito.dano.is_some_and(|dano| dano.contains("vendas.db-wal")), "{texto}");
    assert!(texto.contains("NÃO ESTÁ ÍNTEGRO"), "{texto}");
    assert_eq!(fs::read(&sozinho).unwrap(), antes);

    let ao_lado = |caminho: &Path| format!("{}-wal", caminho.display());
    // O WAL de outro livro, um cortado antes da primeira venda, um vazio.
    let (_terceira, outro) = pasta();
    let mut outro_livro = Livro::abrir(&outro, Some(10)).unwrap();
    vender(&mut outro_livro, 3);
    let inteiro = fs::read(ao_lado(&caminho)).unwrap();
    for wal in [&fs::read(ao_lado(&outro)).unwrap()[..], &[]] {
        fs::write(ao_lado(&sozinho), wal).unwrap();
        assert!(nao_abre(&sozinho, None).contains("vendas.db-wal"), "{} bytes", wal.len());
        assert_eq!(fs::read(&sozinho).unwrap(), antes);
    }
    // E com o dele, tudo volta.
    fs::write(ao_lado(&sozinho), inteiro).unwrap();
    assert_eq!(Livro::abrir(&sozinho, None).unwrap().contas().vendidas, 3);
}

#[test]
fn um_wal_encurtado_depois_de_uma_queda_e_recusado() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10_000)).unwrap();
    // O bastante para a marca ir adiante, e com ela quantas vendas havia.
    vender(&mut livro, 3);
    vender(&mut livro, 5_000);
    let (_outra, cortado) = como_depois_de_uma_queda(&caminho, &["", "-wal"]);
    let wal = File::options().write(true).open(format!("{}-wal", cortado.display())).unwrap();
    // As duas primeiras transações, de uma página cada uma: o ensaio da abertura e as três vendas.
    wal.set_len(32 + 2 * (24 + 4096)).unwrap();
    let erro = nao_abre(&cortado, None);
    assert!(erro.contains("vendas.db-wal") && erro.contains("inteiro"), "{erro}");
}

#[test]
fn uma_copia_pelo_sqlite_abre_com_o_servidor_aberto_ou_sem_o_wal() {
    let (pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 3);
    let copiar = |de: &Path, nome: &str| {
        let copia = pasta.path().join(nome);
        let outro = Connection::open(de).unwrap();
        outro.execute("VACUUM INTO ?1", [copia.to_str().unwrap()]).unwrap();
        copia
    };
    let aberto = copiar(&caminho, "aberto.db");
    assert_eq!(Livro::abrir(&aberto, None).unwrap().contas().vendidas, 3);
    // Quem perdeu o WAL de vez ainda pode ficar com o que sobrou, se quiser.
    let (_outra, sozinho) = como_depois_de_uma_queda(&caminho, &[""]);
    let sobrou = copiar(&sozinho, "sobrou.db");
    assert_eq!(Livro::abrir(&sobrou, None).unwrap().contas().vendidas, 0);
}

#[test]
fn quem_abre_depois_de_uma_queda_com_outro_programa_nao_faz_o_livro_ser_recusado() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 3);
    let (_outra, caido) = como_depois_de_uma_queda(&caminho, &["", "-wal"]);
    // O SQLite, ao fechar a última conexão, passa o WAL para o arquivo e o apaga.
    let outro = Connection::open(&caido).unwrap();
    outro.query_row("SELECT count(*) FROM vendas", [], |linha| linha.get::<_, i64>(0)).unwrap();
    drop(outro);
    assert!(esta_so(&caido));
    assert_eq!(Livro::abrir(&caido, None).unwrap().contas().vendidas, 3);
}

#[test]
fn um_livro_trocado_enquanto_se_vende_faz_parar_e_o_wal_fica() {
    type Estrago = fn(&Path, &Path);
    let ao_lado =
        |caminho: &Path, sufixo: &str| PathBuf::from(format!("{}{sufixo}", caminho.display()));
    let estragos: [(&str, Estrago); 11] = [
        ("esvaziado", |livro, _| fs::write(livro, "").unwrap()),
        ("encurtado", |livro, _| {
            File::options().write(true).open(livro).unwrap().set_len(5000).unwrap();
        }),
        ("escrito por cima", |livro, outro| {
            fs::copy(outro, livro).unwrap();
        }),
        ("apagado", |livro, _| fs::remove_file(livro).unwrap()),
        ("mudado de nome", |livro, _| fs::rename(livro, livro.with_extension("velho")).unwrap()),
        ("trocado", |livro, outro| fs::rename(outro, livro).unwrap()),
        // Com o mesmo conteúdo, mas o que se escrever no outro ninguém vê.
        ("trocado por uma cópia", |livro, copia| {
            fs::copy(livro, copia).unwrap();
            fs::rename(copia, livro).unwrap();
        }),
        ("com o WAL trocado por uma cópia", |livro, copia| {
            let wal = format!("{}-wal", livro.display());
            fs::copy(&wal, copia).unwrap();
            fs::rename(copia, wal).unwrap();
        }),
        ("sem o WAL", |livro, _| fs::remove_file(format!("{}-wal", livro.display())).unwrap()),
        ("com o WAL vazio", |livro, _| {
            fs::write(format!("{}-wal", livro.display()), "").unwrap();
        }),
        ("sem o índice", |livro, _| fs::remove_file(format!("{}-shm", livro.display())).unwrap()),
    ];
    for (nome, estragar) in estragos {
        let (pasta, caminho) = pasta();
        // Outro livro, do mesmo tamanho que este tem em disco.
        let outro = pasta.path().join("outro.db");
        drop(Livro::abrir(&outro, Some(10)).unwrap());
        let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
        vender(&mut livro, 3);
        estragar(&caminho, &outro);
        println!("{nome}");
        let erro = nao_firma(&mut livro);
        assert!(erro.contains("foi trocado, encurtado ou apagado"), "{nome}: {erro}");
        drop(livro);
        let tinha_wal = !nome.ends_with("o WAL");
        assert_eq!(ao_lado(&caminho, "-wal").exists(), tinha_wal, "{nome}: mexeu no WAL");
    }
}

#[test]
fn fechar_um_livro_que_trocaram_tambem_e_um_erro() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 3);
    fs::remove_file(&caminho).unwrap();
    let erro = livro.fechar().unwrap_err().to_string();
    assert!(erro.contains("foi trocado, encurtado ou apagado"), "{erro}");
}

#[test]
fn um_livro_novo_e_so_do_dono() {
    let (pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 1);
    let modos = fs::read_dir(pasta.path()).unwrap().map(|entrada| {
        let entrada = entrada.unwrap();
        (entrada.file_name(), entrada.metadata().unwrap().permissions().mode() & 0o777)
    });
    let modos: Vec<_> = modos.collect();
    assert_eq!(modos.len(), 3);
    assert!(modos.iter().all(|(_, modo)| *modo == 0o600), "{modos:?}");
}

/// Põe outro programa com a trava de escrita na mão, e o livro a vender; o outro faz `antes_de_soltar` um
/// pouco depois, e solta.
fn vender_contra(antes_de_soltar: &str) -> Result<(), String> {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 2);
    let outro = Connection::open(&caminho).unwrap();
    outro.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (dizer, comecou) = mpsc::channel();
    let vendendo = thread::spawn(move || {
        dizer.send(()).unwrap();
        let endereco = SocketAddr::from(([192, 0, 2, 1], 4000));
        livro.firmar(&[Venda { endereco, restante: 7 }]).map_err(|erro| erro.to_string())
    });
    comecou.recv().unwrap();
    // Tempo para que ela espere; se não chegar, o teste só vê menos.
    thread::sleep(Duration::from_millis(300));
    outro.execute_batch(antes_de_soltar).unwrap();
    vendendo.join().unwrap()
}

#[test]
fn a_venda_espera_um_pouco_por_quem_segura_a_escrita() {
    assert_eq!(vender_contra("ROLLBACK"), Ok(()));
}

#[test]
fn o_que_outro_escreve_enquanto_a_venda_espera_tambem_faz_parar() {
    let erro = vender_contra("DELETE FROM vendas WHERE numero = 1; COMMIT").unwrap_err();
    assert!(erro.contains("mudado por outro programa"), "{erro}");
}

#[test]
fn cada_turno_tem_a_hora_dele() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    let milissegundos = || {
        let desde = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        desde.as_millis()
    };
    let mut horas = Vec::new();
    for _ in 0..3 {
        let antes = milissegundos();
        vender(&mut livro, 2);
        horas.push((antes, milissegundos()));
        // O relógio tem de andar entre um turno e outro.
        while milissegundos() == horas[horas.len() - 1].1 {}
    }
    drop(livro);
    let (csv, _) = extrato(&caminho, Forma::Csv);
    let mut planilha = csv::Reader::from_reader(csv.as_bytes());
    for (linha, venda) in planilha.records().zip(0..) {
        let instante = humantime::parse_rfc3339(&linha.unwrap()[1]).unwrap();
        let instante = instante.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let (antes, depois) = horas[venda / 2];
        assert!((antes..=depois).contains(&instante), "venda {venda}: {instante} {horas:?}");
    }
}

/// Um livro com tantas vendas e tantas reposições, feito sem o servidor.
fn livro_grande(caminho: &Path, vendas: u64, reposicoes: u64) {
    drop(Livro::abrir(caminho, Some(vendas)).unwrap());
    let cada = vendas / (reposicoes + 1);
    mexer(
        caminho,
        &format!(
            "PRAGMA synchronous = off; BEGIN;
             WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < {reposicoes})
             INSERT INTO estoque SELECT i + 1, '2026-11-25T15:51:35.771Z', 'reposicao', 5, i * {cada}
             FROM r WHERE {reposicoes} > 0;
             WITH RECURSIVE v(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM v WHERE n < {vendas})
             INSERT INTO vendas SELECT n, '2026-11-25T15:51:36.282Z', '127.0.0.1:59204',
             {vendas} + 5 * min({reposicoes}, (n - 1) / {cada}) - n FROM v;
             COMMIT"
        ),
    );
}

/// `LIVRO_VENDAS=10000000`, com `--release` e `--nocapture`, diz quanto demora um livro grande.
#[test]
fn abrir_um_livro_custa_o_mesmo_haja_quantas_reposicoes_houver() {
    static DITAS: AtomicU32 = AtomicU32::new(0);
    let vendas = std::env::var("LIVRO_VENDAS").map_or(60_000, |texto| texto.parse().unwrap());
    let [sem, com] = [0, 999].map(|reposicoes| {
        let (_pasta, caminho) = pasta();
        livro_grande(&caminho, vendas, reposicoes);
        let comeco = Instant::now();
        let livro = Livro::abrir_dizendo(&caminho, None, |andamento| {
            println!("{andamento:?}");
            DITAS.fetch_add(1, Ordering::Relaxed);
        });
        let (livro, demora) = (livro.unwrap(), comeco.elapsed());
        // A cada segundo, por mais ocupada que esteja a máquina.
        let ditas = DITAS.swap(0, Ordering::Relaxed);
        assert!(demora < Duration::from_secs(5) || ditas > 0, "{demora:?} sem dizer nada");
        println!("{vendas} vendas, {reposicoes} reposições: aberto em {demora:.2?}");
        assert_eq!(livro.contas().vendidas, vendas);
        assert_eq!(livro.contas().repostas, 5 * reposicoes);
        demora
    });
    // Lendo as reposições a cada venda, seriam umas cem vezes mais.
    assert!(com < sem * 10 + Duration::from_secs(1), "{com:?} com reposições, {sem:?} sem");
}

#[test]
fn uma_criacao_interrompida_se_le_como_tal_e_recomeca() {
    let (pasta, caminho) = pasta();
    // Um `-journal` que sobrou: o livro não tem vendas, e o SQLite desfaz o que ficou pela metade.
    livro_com_historia(&caminho);
    fs::write(pasta.path().join("vendas.db-journal"), [0; 512]).unwrap();
    let Err(Falha::Livro(erro)) = extrair(&caminho, Forma::Csv, &mut Vec::new()) else { panic!() };
    assert!(erro.to_string().contains("não acabou de ser criado"), "{erro}");
    assert!(Livro::abrir(&caminho, None).is_ok());
}

#[test]
fn o_que_nao_cabe_ou_nao_tem_pasta_nao_cria_nada() {
    let (pasta, caminho) = pasta();
    nao_abre(&caminho, Some(u64::MAX));
    let erro = nao_abre(&pasta.path().join("nao/ha.db"), None);
    assert!(erro.contains("a pasta do livro"), "{erro}");
    fs::write(&caminho, "").unwrap();
    assert!(Livro::repor(&caminho, 5).unwrap_err().to_string().contains("não existe"));
    assert_eq!(fs::read(&caminho).unwrap(), b"");
}

#[test]
fn o_nome_do_livro_pode_ter_o_que_o_sistema_deixar() {
    let pasta = tempfile::tempdir().unwrap();
    for nome in ["vendas de amanhã.db", "100%?immutable=0#x.db", "file:x.db"] {
        let caminho = pasta.path().join(nome);
        livro_com_historia(&caminho);
        assert_eq!(extrato(&caminho, Forma::Csv).1.contas.vendidas, 7, "{nome}");
        assert!(caminho.is_file(), "{nome}");
    }
}

#[test]
fn um_arquivo_vazio_vira_um_livro() {
    let (_pasta, caminho) = pasta();
    fs::write(&caminho, "").unwrap();
    let Err(Falha::Livro(erro)) = extrair(&caminho, Forma::Csv, &mut Vec::new()) else { panic!() };
    assert!(erro.to_string().contains("não é um livro"), "{erro}");
    assert_eq!(Livro::abrir(&caminho, Some(7)).unwrap().contas().inicial, 7);
}

/// Faz algo com o arquivo, por fora.
fn mexer(caminho: &Path, comandos: &str) {
    Connection::open(caminho).unwrap().execute_batch(comandos).unwrap();
}

#[test]
fn um_formato_mais_novo_nao_e_tocado() {
    let (_pasta, caminho) = pasta();
    livro_com_historia(&caminho);
    mexer(&caminho, "PRAGMA user_version = 2");
    let antes = fs::read(&caminho).unwrap();
    assert!(nao_abre(&caminho, None).contains("formato 2"));
    assert_eq!(fs::read(&caminho).unwrap(), antes);
}

#[test]
fn um_livro_que_nao_fecha_e_recusado_e_fica_como_estava() {
    for (estrago, dano) in [
        ("DELETE FROM vendas WHERE numero = 3", "faltam vendas"),
        ("UPDATE vendas SET restante = 9 WHERE numero = 2", "restante"),
        ("UPDATE vendas SET restante = restante + 1 WHERE numero > 3", "restante"),
        ("DELETE FROM estoque WHERE tipo = 'inicial'", "com quanto começou"),
        ("UPDATE estoque SET tipo = 'inicial'", "com quanto começou"),
        ("UPDATE estoque SET unidades = 6 WHERE tipo = 'reposicao'", "restante"),
        ("UPDATE estoque SET depois_da_venda = 9 WHERE tipo = 'reposicao'", "depois da última"),
        ("UPDATE estoque SET depois_da_venda = 1 WHERE tipo = 'inicial'", "restante"),
        ("UPDATE estoque SET unidades = -5 WHERE tipo = 'reposicao'", "quantidade negativa"),
        ("DROP TABLE vendas", "tabelas"),
        ("ALTER TABLE vendas RENAME restante TO sobra", "tabelas"),
        ("UPDATE estoque SET unidades = 9223372036854775807", ""),
    ] {
        let (_pasta, caminho) = pasta();
        livro_com_historia(&caminho);
        mexer(&caminho, &format!("PRAGMA ignore_check_constraints = on; {estrago}"));
        let antes = fs::read(&caminho).unwrap();
        let erro = nao_abre(&caminho, None);
        assert!(erro.contains("está danificado") && erro.contains(dano), "{estrago}: {erro}");
        assert_eq!(fs::read(&caminho).unwrap(), antes, "{estrago}");
        assert!(esta_so(&caminho), "{estrago}");
    }
}

#[test]
fn paginas_estragadas_sao_percebidas_e_ficam_como_estavam() {
    let (_pasta, caminho) = pasta();
    vender(&mut Livro::abrir(&caminho, Some(5000)).unwrap(), 4000);
    let sao = fs::read(&caminho).unwrap();
    for pagina in 1..sao.len() / 4096 {
        let mut estragado = sao.clone();
        estragado[pagina * 4096..(pagina + 1) * 4096].fill(0xAA);
        fs::write(&caminho, &estragado).unwrap();
        assert!(nao_abre(&caminho, None).contains("está danificado"), "página {pagina}");
        assert!(fs::read(&caminho).unwrap() == estragado, "mexeu na página {pagina}");
    }
    for tamanho in [100, 4096, 4097, sao.len() / 2, sao.len() - 1] {
        fs::write(&caminho, &sao[..tamanho]).unwrap();
        assert!(nao_abre(&caminho, None).contains("está danificado"), "{tamanho} bytes");
        assert!(fs::read(&caminho).unwrap() == sao[..tamanho]);
    }
}

#[test]
fn o_extrato_para_ler_poe_cada_coisa_no_seu_lugar() {
    let (_pasta, caminho) = pasta();
    livro_com_historia(&caminho);
    let (texto, _) = extrato(&caminho, Forma::Tabela);
    let sem_horas: Vec<String> = texto
        .lines()
        .map(|linha| {
            let palavras = linha.split_whitespace().filter(|palavra| !palavra.ends_with('Z'));
            palavras.collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(
        sem_horas[2..],
        [
            "venda instante endereço restante",
            "estoque inicial +10",
            "1 192.0.2.1:4000 9",
            "2 192.0.2.1:4000 8",
            "3 192.0.2.1:4000 7",
            "reposição +5",
            "4 192.0.2.1:4000 11",
            "5 192.0.2.1:4000 10",
            "6 192.0.2.1:4000 9",
            "7 192.0.2.1:4000 8",
            "",
            "inicial 10",
            "reposto 5",
            "vendido 7",
            "à venda 8",
            "",
            "Íntegro: vendido + à venda = inicial + reposto, e cada restante é o que devia ser.",
        ]
    );
}

#[test]
fn o_extrato_para_programas_diz_o_mesmo() {
    let (_pasta, caminho) = pasta();
    livro_com_historia(&caminho);
    let (csv, _) = extrato(&caminho, Forma::Csv);
    let mut planilha = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(planilha.headers().unwrap(), vec!["numero", "instante", "endereco", "restante"]);
    let linhas: Vec<_> = planilha.records().map(Result::unwrap).collect();
    assert_eq!((linhas.len(), &linhas[6][0], &linhas[6][3]), (7, "7", "8"));
    humantime::parse_rfc3339(&linhas[0][1]).unwrap();

    let (json, _) = extrato(&caminho, Forma::Json);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["integro"], true);
    let contas = ["inicial", "repostas", "vendidas", "restantes"].map(|chave| json[chave].as_u64());
    assert_eq!(contas, [10, 5, 7, 8].map(Some));
    assert_eq!(json["estoque"][1]["depois_da_venda"], 3);
    assert_eq!(json["vendas"].as_array().unwrap().len(), 7);
    assert_eq!(json["vendas"][6]["restante"], 8);
}

#[test]
fn um_livro_que_nao_fecha_ainda_se_le_e_o_extrato_o_diz() {
    let (_pasta, caminho) = pasta();
    livro_com_historia(&caminho);
    mexer(&caminho, "DELETE FROM vendas WHERE numero = 3");
    let (texto, veredito) = extrato(&caminho, Forma::Tabela);
    assert!(texto.contains("NÃO ESTÁ ÍNTEGRO: faltam vendas"), "{texto}");
    assert!(veredito.dano.is_some() && texto.contains("192.0.2.1:4000"), "{texto}");
    let (json, _) = extrato(&caminho, Forma::Json);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["integro"], false);
}

/// O que se faz com um livro.
#[derive(Debug, Clone)]
enum Gesto {
    Vende(u64),
    Repoe(u64),
    Reabre,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn todo_livro_fecha_seja_qual_for_a_historia(
        inicial in 0u64..50,
        gestos in proptest::collection::vec(
            prop_oneof![
                (1u64..30).prop_map(Gesto::Vende),
                (1u64..20).prop_map(Gesto::Repoe),
                Just(Gesto::Reabre),
            ],
            0..12,
        ),
    ) {
        let (_pasta, caminho) = pasta();
        let mut livro = Some(Livro::abrir(&caminho, Some(inicial)).unwrap());
        let (mut repostas, mut vendidas) = (0, 0);
        for gesto in gestos {
            match gesto {
                Gesto::Vende(quantas) => {
                    let livro = livro.as_mut().unwrap();
                    let cabem = quantas.min(livro.contas().restantes());
                    vender(livro, cabem);
                    vendidas += cabem;
                }
                Gesto::Repoe(quantas) => {
                    drop(livro.take());
                    Livro::repor(&caminho, quantas).unwrap();
                    repostas += quantas;
                    livro = Some(Livro::abrir(&caminho, None).unwrap());
                }
                Gesto::Reabre => {
                    drop(livro.take());
                    livro = Some(Livro::abrir(&caminho, None).unwrap());
                }
            }
        }
        let esperadas = Contas { inicial, repostas, vendidas };
        prop_assert_eq!(livro.unwrap().contas(), esperadas);
        let (_, veredito) = extrato(&caminho, Forma::Tabela);
        prop_assert_eq!((veredito.contas, veredito.dano), (esperadas, None));
    }
}
