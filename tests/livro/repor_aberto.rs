//! Repor com o servidor vendendo: ele é quem repõe, e quem pede não o atrapalha.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use testes::{Processo, Servidor, Signal, Termino, argumentos, ate, comando, executar, veredito};

use crate::sob_teste::Arquivo;
use crate::{AVISO, derrubar};

/// Bem mais do que o servidor dá a cada um dos que se calam.
const PRAZO: Duration = Duration::from_secs(20);

fn socket(livro: &Arquivo) -> String {
    format!("{}-repor", livro.caminho())
}

/// Repôs, e disse como ficou.
fn repos(termino: &Termino, como_ficou: &str) {
    assert_eq!(termino.codigo, Some(0), "{}", termino.erro);
    assert_eq!(termino.erro, format!("{como_ficou} (pelo servidor que o tem aberto)\n"));
}

#[test]
fn o_servidor_aberto_repoe_e_o_aviso_sai_outra_vez() {
    let livro = Arquivo::novo();
    let mut servidor = livro.abrir(Some(1));
    let mut todos = [servidor.cliente(), servidor.cliente()];
    assert_eq!(todos[1].pede("CONSULTAR"), "Estoque atual: 1");
    for vez in 1..=2 {
        assert_eq!(todos[0].pede("COMPRAR"), "Compra realizada. Estoque restante: 0");
        todos.iter_mut().for_each(|cliente| assert_eq!(cliente.linha(), AVISO));
        assert_eq!(todos[1].pede("COMPRAR"), "ERRO: Produto esgotado");
        let como_ficou =
            format!("livro: {vez} de {} vendidas, 1 à venda: 1 repostas agora", vez + 1);
        repos(&livro.repor(1), &como_ficou);
        assert_eq!(todos[1].pede("CONSULTAR"), "Estoque atual: 1");
    }
    let termino = servidor.encerrar();
    assert_eq!((termino.codigo, termino.conta("estoque restante")), (Some(0), 1));
    let extrato = livro.extrato();
    assert_eq!((extrato.entradas, extrato.vendidas()), (3, 2));
}

/// Quem lê o console vê por que o estoque subiu, ainda que ninguém peça nada depois.
#[test]
fn o_registro_diz_que_se_repos_e_de_quanto_para_quanto() {
    let livro = Arquivo::novo();
    let mut servidor = Servidor::abrir(&["--livro", livro.caminho(), "--estoque", "8"]);
    repos(&livro.repor(5), "livro: 0 de 13 vendidas, 13 à venda: 5 repostas agora");
    let reposto = "Z estoque: reposto (de 8 para 13)\n";
    servidor.registro().ate("a reposição", |log| log.ends_with(reposto));
    assert_eq!(servidor.encerrar().codigo, Some(0));
}

#[test]
fn o_que_se_disse_reposto_sobrevive_a_uma_queda_e_depois_dela_ainda_se_repoe() {
    let livro = Arquivo::novo();
    let servidor = livro.abrir(Some(10));
    repos(&livro.repor(5), "livro: 0 de 15 vendidas, 15 à venda: 5 repostas agora");
    derrubar(servidor);
    // O socket do que caiu ainda está lá.
    assert!(fs::metadata(socket(&livro)).unwrap().file_type().is_socket());
    assert_eq!(livro.extrato().entradas, 15);
    let servidor = livro.abrir(None);
    assert_eq!(servidor.cliente().pede("CONSULTAR"), "Estoque atual: 15");
    repos(&livro.repor(2), "livro: 0 de 17 vendidas, 17 à venda: 2 repostas agora");
}

#[test]
fn caido_o_servidor_o_socket_que_ficou_nao_impede_de_repor() {
    let livro = Arquivo::novo();
    derrubar(livro.abrir(Some(10)));
    let termino = livro.repor(5);
    assert!(termino.erro.ends_with("(o servidor não foi aberto)\n"), "{}", termino.erro);
}

#[test]
fn o_socket_e_so_do_dono_e_sai_com_o_servidor() {
    let livro = Arquivo::novo();
    let mut servidor = livro.abrir(Some(10));
    let medidas = fs::metadata(socket(&livro)).unwrap();
    assert!(medidas.file_type().is_socket());
    assert_eq!(medidas.permissions().mode() & 0o777, 0o600);
    assert_eq!(servidor.encerrar().codigo, Some(0));
    assert!(!Path::new(&socket(&livro)).exists());
}

#[test]
fn por_um_atalho_se_chega_ao_mesmo_servidor() {
    let livro = Arquivo::novo();
    let _servidor = livro.abrir(Some(10));
    let outra = tempfile::tempdir().unwrap();
    let atalho = outra.path().join("atalho.db");
    symlink(livro.caminho(), &atalho).unwrap();
    let termino = executar("servidor", ["--livro", atalho.to_str().unwrap(), "--repor", "1"]);
    repos(&termino, "livro: 0 de 11 vendidas, 11 à venda: 1 repostas agora");
}

#[test]
fn o_que_nao_cabe_e_recusado_e_o_servidor_continua() {
    let livro = Arquivo::novo();
    let servidor = livro.abrir(Some(10));
    let termino = livro.repor(i64::MAX as u64);
    assert_eq!(termino.codigo, Some(1));
    assert!(
        termino.erro.contains("não repôs") && termino.erro.contains("peça menos"),
        "{}",
        termino.erro
    );
    assert_eq!(servidor.cliente().pede("COMPRAR"), "Compra realizada. Estoque restante: 9");
}

#[test]
fn quem_se_cala_ou_manda_lixo_no_socket_nao_atrapalha_ninguem() {
    let livro = Arquivo::novo();
    let servidor = livro.abrir(Some(10));
    let conectar = || {
        let fluxo = UnixStream::connect(socket(&livro)).unwrap();
        fluxo.set_read_timeout(Some(PRAZO)).unwrap();
        fluxo.set_write_timeout(Some(PRAZO)).unwrap();
        fluxo
    };
    let calados = [conectar(), conectar()];
    let mut meio = conectar();
    meio.write_all(b"REPOR 100").unwrap();
    // O laço não espera por eles.
    assert_eq!(servidor.cliente().pede("COMPRAR"), "Compra realizada. Estoque restante: 9");
    for lixo in [&b"REPOR 0\n"[..], b"REPOR x\n", b"COMPRAR\n"] {
        let mut fluxo = conectar();
        fluxo.write_all(lixo).unwrap();
        let mut ouviu = String::new();
        fluxo.read_to_string(&mut ouviu).unwrap();
        assert_eq!(ouviu, "ERRO não entendi o pedido\n");
    }
    // Uma linha sem fim: fecha-se antes de ela acabar.
    let mut sem_fim = conectar();
    while sem_fim.write_all(&[b'x'; 4096]).is_ok() {}
    // Quem pede e vai embora sem ouvir é atendido como os outros.
    conectar().write_all(b"REPOR 1\n").unwrap();
    repos(&livro.repor(1), "livro: 1 de 12 vendidas, 11 à venda: 1 repostas agora");
    assert_eq!(servidor.cliente().pede("CONSULTAR"), "Estoque atual: 11");
    drop((calados, meio));
}

#[test]
fn em_um_caminho_longo_demais_vende_se_e_diz_se_que_so_se_repoe_fechado() {
    let livro = Arquivo::novo();
    let pasta = livro.pasta().join("x".repeat(120));
    fs::create_dir(&pasta).unwrap();
    let caminho = pasta.join("vendas.db");
    let mut servidor =
        Servidor::de(comando("servidor", ["--silencioso", "--livro", caminho.to_str().unwrap()]));
    servidor.erro().ate("que não se repõe", |erro| erro.contains("longo demais para um socket"));
    assert_eq!(servidor.cliente().pede("COMPRAR"), "Compra realizada. Estoque restante: 9");
    let repor = || executar("servidor", ["--livro", caminho.to_str().unwrap(), "--repor", "1"]);
    let termino = repor();
    assert_eq!(termino.codigo, Some(1));
    assert!(
        termino.erro.contains("um caminho longo demais para falar com ele"),
        "{}",
        termino.erro
    );
    assert_eq!(servidor.encerrar().codigo, Some(0));
    assert_eq!(repor().codigo, Some(0));
}

#[test]
fn outro_arquivo_no_lugar_do_socket_fica_como_estava_e_isso_se_diz() {
    let livro = Arquivo::novo();
    fs::write(socket(&livro), "de outra pessoa").unwrap();
    let mut servidor = livro.abrir(Some(10));
    servidor.erro().ate("que não se repõe", |erro| erro.contains("há outro arquivo no lugar"));
    let termino = livro.repor(1);
    assert_eq!(termino.codigo, Some(1));
    assert_eq!(servidor.encerrar().codigo, Some(0));
    assert_eq!(fs::read_to_string(socket(&livro)).unwrap(), "de outra pessoa");
}

/// A multidão compra tudo, repõe-se com o servidor aberto, ela compra tudo outra vez, e pede-se-lhe que acabe. Ela
/// tem o extrato de depois disso em `--reposicoes`, se `com_o_livro`.
fn multidao_que_ve_repor(com_o_livro: bool) -> Termino {
    let livro = Arquivo::novo();
    let servidor = livro.abrir(Some(5));
    let extrato = livro.pasta().join("extrato.json");
    let mut opcoes = "--usuarios 6 --ciclos 100000..100000 --estoque 5 --semente 1".to_owned();
    if com_o_livro {
        opcoes += &format!(" --reposicoes {}", extrato.display());
    }
    let multidao = argumentos(servidor.endereco(), &opcoes);
    let mut multidao = Processo::iniciar(comando("cliente", multidao));
    let esgotado = || servidor.cliente().pede("CONSULTAR") == "Estoque atual: 0";
    let esgotar = || ate("o esgotamento", || esgotado().then_some(()));
    esgotar();
    // Uma recusa, e depois dela uma venda: sem o livro, é o que se acusa.
    repos(&livro.repor(7), "livro: 5 de 12 vendidas, 7 à venda: 7 repostas agora");
    esgotar();
    let termino = executar("servidor", ["extrato", livro.caminho(), "--json"]);
    fs::write(&extrato, termino.saida).unwrap();
    multidao.sinal(Signal::INT);
    multidao.termino()
}

#[test]
fn a_multidao_que_tem_o_livro_nao_acusa_o_estoque_de_subir() {
    let termino = multidao_que_ve_repor(true);
    assert_eq!(termino.codigo, Some(130), "{}{}", termino.saida, termino.erro);
    assert_eq!(veredito(&termino), "Veredito: CONSISTENTE", "{}", termino.saida);
    let dito = "o livro o explica: 7 unidades entraram em 1 reposição";
    assert!(termino.saida.contains(dito), "{}", termino.saida);
}

#[test]
fn a_multidao_a_que_nada_se_diz_conta_que_o_estoque_subiu() {
    let termino = multidao_que_ve_repor(false);
    assert_eq!(termino.codigo, Some(3), "{}{}", termino.saida, termino.erro);
}
