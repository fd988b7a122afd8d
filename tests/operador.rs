//! O que o operador vê e pede: SIGHUP, um registro com tamanho, um console que ninguém lê, canos no lugar
//! de arquivos. O que os clientes veem está em `servidor.rs`, e o fim comum, em `encerramento.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{self, File};
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use testes::{
    Captura, Cliente, Processo, Servidor, Signal, ate, comando, ler_metricas, nao_abre, numero,
    onde_mostra, por_meio_de, porta_livre,
};

const PERDIDAS: &str = "linhas de registro perdidas";

/// O texto do arquivo, quando tiver `trecho`.
fn ate_no_arquivo(arquivo: &Path, trecho: &str) -> String {
    ate(trecho, || fs::read_to_string(arquivo).ok().filter(|texto| texto.contains(trecho)))
}

fn cano_em(caminho: &Path) {
    assert!(Command::new("mkfifo").arg(caminho).status().unwrap().success());
}

#[test]
fn o_registro_em_arquivo_tem_a_abertura_e_as_contas_do_fim() {
    let pasta = tempfile::tempdir().unwrap();
    let arquivo = pasta.path().join("vendas.log");
    let mut servidor =
        Servidor::abrir(&["--registro", arquivo.to_str().unwrap(), "--max-conexoes", "5"]);
    let endereco = servidor.endereco();
    // Cada conta com um valor só seu: trocadas de lugar, vê-se.
    let mut casa: Vec<_> = (0..5).map(|_| servidor.cliente()).collect();
    for cliente in &mut casa {
        assert_eq!(cliente.pede("CONSULTAR"), "Estoque atual: 10");
    }
    assert_eq!(servidor.cliente().fim(), "ERRO: Servidor lotado\n");
    for cliente in &mut casa[..3] {
        assert!(cliente.pede("COMPRAR").starts_with("Compra realizada."));
    }
    drop(casa.pop());
    ate_no_arquivo(&arquivo, "desconectou");
    assert_eq!(servidor.cliente().pede("CONSULTAR"), "Estoque atual: 7");
    drop(casa);
    assert_eq!(servidor.encerrar().codigo, Some(0));
    let log = fs::read_to_string(&arquivo).unwrap();
    let [primeira, ultima] = [log.lines().next().unwrap(), log.lines().last().unwrap()];
    assert!(primeira.ends_with(&format!("servidor: ouvindo em {endereco} (estoque: 10)")), "{log}");
    let contas = "(conexoes: 6, pico: 5, lotado: 1, lotado para o IP: 0, comandos: 9, vendas: 3, esgotado: 0, estoque: 7)";
    assert!(ultima.ends_with(&format!("servidor: encerrado {contas}")), "{log}");
}

#[test]
fn trocado_o_nome_e_mandado_um_sighup_as_linhas_seguintes_vao_a_um_arquivo_novo() {
    let pasta = tempfile::tempdir().unwrap();
    let arquivo = pasta.path().join("vendas.log");
    let antigo = pasta.path().join("vendas.log.1");
    let mut servidor = Servidor::abrir(&["--registro", arquivo.to_str().unwrap()]);
    let mut cliente = servidor.cliente();
    cliente.pede("COMPRAR");
    ate_no_arquivo(&arquivo, "restante: 9");
    fs::rename(&arquivo, &antigo).unwrap();
    servidor.sinal(Signal::HUP);
    ate("o arquivo novo", || arquivo.exists().then_some(()));
    assert_eq!(cliente.pede("COMPRAR"), "Compra realizada. Estoque restante: 8");
    ate_no_arquivo(&arquivo, "restante: 8");
    assert!(!fs::read_to_string(&antigo).unwrap().contains("restante: 8"));
    // E quantas vezes for preciso.
    fs::rename(&arquivo, &antigo).unwrap();
    servidor.sinal(Signal::HUP);
    ate("o terceiro", || arquivo.exists().then_some(()));
    assert_eq!(cliente.pede("COMPRAR"), "Compra realizada. Estoque restante: 7");
    ate_no_arquivo(&arquivo, "restante: 7");
    let termino = servidor.encerrar();
    assert_eq!((termino.codigo, termino.conta(PERDIDAS)), (Some(0), 0));
}

#[test]
fn um_sighup_que_nao_reabre_continua_no_arquivo_que_havia_e_ali_diz_por_que() {
    let pasta = tempfile::tempdir().unwrap();
    let dentro = pasta.path().join("dentro");
    let mudada = pasta.path().join("mudada");
    fs::create_dir(&dentro).unwrap();
    let arquivo = dentro.join("vendas.log");
    let mut servidor = Servidor::abrir(&["--registro", arquivo.to_str().unwrap()]);
    let mut cliente = servidor.cliente();
    cliente.pede("CONSULTAR");
    fs::rename(&dentro, &mudada).unwrap();
    servidor.sinal(Signal::HUP);
    let ainda = mudada.join("vendas.log");
    ate_no_arquivo(&ainda, "o arquivo não foi reaberto");
    cliente.pede("COMPRAR");
    ate_no_arquivo(&ainda, "restante: 9");
    assert_eq!(servidor.encerrar().conta(PERDIDAS), 0);
}

#[test]
fn sem_registro_um_sighup_encerra_em_ordem_e_presta_contas() {
    let mut servidor = Servidor::abrir(&[]);
    let mut cliente = servidor.cliente();
    cliente.pede("COMPRAR");
    servidor.sinal(Signal::HUP);
    let termino = servidor.termino();
    assert_eq!((termino.codigo, termino.conta("vendas")), (Some(0), 1));
}

#[test]
fn com_nohup_um_sighup_nao_encerra() {
    let comando = por_meio_de(&["nohup"], &comando("servidor", [""; 0]));
    let mut servidor = Servidor::de(comando);
    let mut cliente = servidor.cliente();
    servidor.congelado(|| {
        servidor.sinal(Signal::HUP);
        cliente.manda("COMPRAR\n");
    });
    // A primeira resposta podia ser a de quem já encerrava; quem chega depois dela, não.
    assert_eq!(cliente.linha(), "Compra realizada. Estoque restante: 9");
    assert_eq!(servidor.cliente().pede("COMPRAR"), "Compra realizada. Estoque restante: 8");
    assert_eq!(cliente.pede("COMPRAR"), "Compra realizada. Estoque restante: 7");
    assert_eq!(servidor.encerrar().conta("vendas"), 3);
}

#[test]
fn o_registro_nao_passa_do_maximo_conta_as_perdas_e_esvaziado_as_informa() {
    let pasta = tempfile::tempdir().unwrap();
    let arquivo = pasta.path().join("vendas.log");
    let caminho = arquivo.to_str().unwrap();
    let mut servidor =
        Servidor::abrir(&["--metricas", "0", "--registro", caminho, "--registro-maximo", "64KiB"]);
    let onde = onde_mostra(&servidor);
    let perdidas = || numero(&ler_metricas(onde), "vendas_registro_linhas_perdidas_total");
    let mut cliente = servidor.cliente();
    for _ in 0..2_000 {
        cliente.pede("CONSULTAR");
    }
    let log = ate_no_arquivo(&arquivo, "chegou a --registro-maximo");
    assert!(log.ends_with('\n') && log.len() <= 64 * 1024, "{}", log.len());
    // Cada linha tem a sua hora, e uma só: nenhuma ficou pela metade.
    assert!(log.lines().all(|linha| linha.matches("Z ").count() == 1), "{log}");
    // Duas vezes em que a thread não escreve, e a conta passa de uma para a outra.
    for _ in 0..2 {
        let antes = perdidas();
        cliente.pede("CONSULTAR");
        ate("mais linhas perdidas", || (perdidas() > antes).then_some(()));
    }
    assert!(fs::metadata(&arquivo).unwrap().len() <= 64 * 1024);
    // Como o `copytruncate` de um logrotate.
    File::options().write(true).open(&arquivo).unwrap().set_len(0).unwrap();
    cliente.pede("COMPRAR");
    let log = ate_no_arquivo(&arquivo, "linhas perdidas: ");
    let informadas: u64 = log
        .lines()
        .filter_map(|linha| linha.split_once("linhas perdidas: "))
        .map(|(_, n)| n.parse::<u64>().unwrap())
        .sum();
    let perdidas = servidor.encerrar().conta(PERDIDAS);
    assert!(perdidas > 0 && informadas == perdidas, "{informadas} informadas, {perdidas} perdidas");
}

#[test]
fn um_arquivo_que_ja_esta_cheio_e_dito_na_abertura() {
    let pasta = tempfile::tempdir().unwrap();
    let arquivo = pasta.path().join("vendas.log");
    fs::write(&arquivo, "x\n".repeat(32 * 1024)).unwrap();
    let caminho = arquivo.to_str().unwrap();
    let mut servidor = Servidor::abrir(&["--registro", caminho, "--registro-maximo", "64KiB"]);
    servidor.erro().ate("o aviso", |erro| erro.contains("já está em --registro-maximo"));
    assert_eq!(servidor.cliente().pede("CONSULTAR"), "Estoque atual: 10");
    assert_eq!(servidor.encerrar().codigo, Some(0));
}

/// Um cano cheio, que ninguém lê; o leitor fica vivo enquanto o teste o segura.
fn cano_cheio() -> (PipeReader, PipeWriter) {
    let (leitor, escritor) = pipe().unwrap();
    let mut enchendo = escritor.try_clone().unwrap();
    // Esta thread fica presa ao encher, e se solta quando o teste larga o leitor.
    thread::spawn(move || while enchendo.write_all(b"x").is_ok() {});
    ate("o cano cheio", || {
        let cheio = rustix::io::ioctl_fionread(&leitor).unwrap() >= 64 * 1024;
        cheio.then_some(())
    });
    (leitor, escritor)
}

/// Promete-se terminar em 5 s; aqui se espera o prazo comum dos testes, que só um defeito alcança.
fn termina_com_o_console_parado(opcoes: &[&str]) {
    let (leitor, escritor) = cano_cheio();
    let porta = porta_livre().to_string();
    let mut comando = comando("servidor", ["--endereco", "127.0.0.1", "--porta", &porta]);
    comando.args(opcoes);
    comando.stdout(escritor.try_clone().unwrap()).stderr(escritor);
    let mut processo = Processo::iniciar(comando);
    let endereco: SocketAddr = format!("127.0.0.1:{porta}").parse().unwrap();
    ate("a porta aberta", || TcpStream::connect(endereco).ok());
    assert!(Cliente::conectar(endereco).pede("COMPRAR").starts_with("Compra realizada"));
    processo.sinal(Signal::TERM);
    assert_eq!(processo.termino().codigo, Some(0));
    drop(leitor);
}

#[test]
fn com_o_console_parado_o_primeiro_sigterm_encerra() {
    termina_com_o_console_parado(&[]);
}

#[test]
fn com_o_console_parado_e_um_livro_o_primeiro_sigterm_encerra() {
    let pasta = tempfile::tempdir().unwrap();
    let livro = pasta.path().join("vendas.db");
    termina_com_o_console_parado(&["--livro", livro.to_str().unwrap()]);
}

#[test]
fn um_cano_sem_leitor_no_lugar_do_registro_e_recusado_na_hora() {
    let pasta = tempfile::tempdir().unwrap();
    let cano = pasta.path().join("cano");
    cano_em(&cano);
    let erro = nao_abre(&["--porta", "0", "--registro", cano.to_str().unwrap()]);
    assert!(erro.contains("é um cano, e ninguém o lê"), "{erro}");
}

#[test]
fn um_cano_com_leitor_serve_de_registro() {
    let pasta = tempfile::tempdir().unwrap();
    let cano = pasta.path().join("cano");
    cano_em(&cano);
    // Aberto para os dois lados, não espera por ninguém.
    let leitor = File::options().read(true).write(true).open(&cano).unwrap();
    let mut servidor = Servidor::abrir(&["--registro", cano.to_str().unwrap()]);
    let lido = Captura::de(leitor);
    servidor.cliente().pede("COMPRAR");
    lido.ate("a compra", |log| log.contains("COMPRAR -> Compra realizada"));
    assert_eq!(servidor.encerrar().conta(PERDIDAS), 0);
}

#[test]
fn um_cano_no_lugar_do_livro_e_recusado_sem_esperar() {
    let pasta = tempfile::tempdir().unwrap();
    let cano = pasta.path().join("cano");
    cano_em(&cano);
    nao_abre(&["--endereco", "127.0.0.1", "--porta", "0", "--livro", cano.to_str().unwrap()]);
}

#[test]
fn um_registro_em_uma_pasta_que_nao_existe_diz_que_e_a_pasta() {
    let erro = nao_abre(&["--porta", "0", "--registro", "/nao/existe.log"]);
    assert!(erro.contains("a pasta /nao não existe"), "{erro}");
}

#[test]
fn dev_null_nao_serve_de_livro_e_nada_fica_ao_lado_dele() {
    nao_abre(&["--endereco", "127.0.0.1", "--porta", "0", "--livro", "/dev/null"]);
    assert!(!Path::new("/dev/null-journal").exists());
}

#[test]
fn um_ipv6_entre_colchetes_e_um_endereco() {
    let mut comando = comando("servidor", ["--endereco", "[::1]", "--porta", "0"]);
    comando.stdin(Stdio::null());
    let mut processo = Processo::iniciar(comando);
    processo.erro.ate("a abertura", |erro| erro.contains("ouvindo em [::1]:"));
    processo.sinal(Signal::TERM);
    assert_eq!(processo.termino().codigo, Some(0));
}

#[test]
fn sem_endereco_atende_por_ipv4_e_por_ipv6_na_mesma_porta() {
    if TcpListener::bind("[::1]:0").is_err() {
        return println!("pulado: aqui não há IPv6");
    }
    let mut processo = Processo::iniciar(comando("servidor", ["--porta", "0", "--silencioso"]));
    let v4 = processo.onde_ouve();
    let dito =
        format!("ouvindo em 0.0.0.0:{porta} e [::]:{porta} (estoque: 10)", porta = v4.port());
    processo.erro.ate("as duas famílias", |erro| erro.contains(&dito));
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, v4.port()));
    for (restante, endereco) in [(9, v4), (8, v6), (7, v4)] {
        let resposta = Cliente::conectar(endereco).pede("COMPRAR");
        assert_eq!(resposta, format!("Compra realizada. Estoque restante: {restante}"));
    }
    processo.sinal(Signal::TERM);
    assert_eq!(processo.termino().codigo, Some(0));
}

#[test]
fn o_endereco_pedido_e_so_ele_ainda_que_sejam_todos_os_do_ipv6() {
    if TcpListener::bind("[::1]:0").is_err() {
        return println!("pulado: aqui não há IPv6");
    }
    let mut processo = Processo::iniciar(comando("servidor", ["--endereco", "::", "--porta", "0"]));
    let dito = processo.erro.ate("a abertura", |erro| erro.contains("(estoque"));
    let porta = dito.split_once("[::]:").and_then(|(_, resto)| resto.split(' ').next());
    let porta: u16 = porta.unwrap().parse().unwrap();
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, porta));
    assert_eq!(Cliente::conectar(v6).pede("CONSULTAR"), "Estoque atual: 10");
    assert!(TcpStream::connect(("127.0.0.1", porta)).is_err());
    processo.sinal(Signal::TERM);
    assert_eq!(processo.termino().codigo, Some(0));
}

#[test]
fn a_porta_que_outro_programa_tem_em_uma_das_familias_nao_se_divide() {
    for outro in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(outro) = TcpListener::bind(outro) else { continue };
        let porta = outro.local_addr().unwrap().port().to_string();
        let erro = nao_abre(&["--porta", &porta]);
        assert!(erro.contains("já está em uso") && erro.contains(&porta), "{erro}");
    }
}

#[test]
fn quem_passa_do_limite_por_endereco_ouve_por_que_e_fica_nas_contas_e_no_registro() {
    let pasta = tempfile::tempdir().unwrap();
    let arquivo = pasta.path().join("vendas.log");
    let mut servidor =
        Servidor::abrir(&["--registro", arquivo.to_str().unwrap(), "--max-por-endereco", "2"]);
    let mut casa = [servidor.cliente(), servidor.cliente()];
    casa.iter_mut().for_each(|cliente| assert_eq!(cliente.pede("CONSULTAR"), "Estoque atual: 10"));
    assert_eq!(servidor.cliente().fim(), "ERRO: Servidor lotado para o seu IP\n");
    let termino = servidor.encerrar();
    assert_eq!(termino.conta("recusadas (lotado para o IP)"), 1);
    assert_eq!(termino.conta("conexões recusadas (lotado)"), 0);
    let log = fs::read_to_string(&arquivo).unwrap();
    assert!(log.contains("desconectou (lotado para o IP)"), "{log}");
    assert!(log.contains("pico: 2, lotado: 0, lotado para o IP: 1,"), "{log}");
}
