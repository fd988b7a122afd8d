//! Quem cai, muitas vezes: nada fica para trás, nem uma unidade, nem um descritor, nem um lugar.

use super::*;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use testes::{Cliente, ate};

/// Quantos caem ao mesmo tempo.
const MAOS: usize = 4;

/// O que cada mão faz `vezes / MAOS` vezes, com o número da vez.
fn em_varias_maos(vezes: usize, fazer: impl Fn(usize) + Sync) {
    thread::scope(|escopo| {
        for mao in 0..MAOS {
            let fazer = &fazer;
            escopo.spawn(move || (mao..vezes).step_by(MAOS).for_each(fazer));
        }
    });
}

/// Depois da tempestade, só o honesto: os descritores voltam ao que eram, e quem chega é o segundo.
fn nada_ficou(prova: &Prova, de_sempre: usize) -> String {
    passou(prova, de_sempre);
    let mut ultimo = prova.servidor.cliente();
    assert!(ultimo.pede("CONSULTAR").starts_with("Estoque atual: "));
    format!("{} conectou (ativas: 2)", ultimo.endereco())
}

/// A onda passou. Quem ainda está à porta não ocupa um descritor do servidor: só depois de se atender a
/// alguém que chegou atrás de todos se sabe que não há mais ninguém, e que os descritores dizem tudo.
fn passou(prova: &Prova, de_sempre: usize) {
    prova.servidor.cliente().pede("CONSULTAR");
    ate("os descritores de volta", || (prova.exame.descritores() == de_sempre).then_some(()));
}

#[test]
fn resets_no_meio_de_um_comando_nao_vendem_nem_vazam() {
    let vezes = quantas(20_000, 100_000);
    let prova = Prova::abrir(&["--estoque", "1000000"]);
    let de_sempre = prova.exame.descritores();
    let ouvidas = AtomicU64::new(0);
    em_varias_maos(vezes, |vez| {
        let mut cliente = prova.servidor.cliente();
        // As mãos andam de MAOS em MAOS: a metade que compra é a de cada mão, e não a de duas delas.
        if (vez / MAOS).is_multiple_of(2) {
            assert!(cliente.pede("COMPRAR").starts_with("Compra realizada."));
            ouvidas.fetch_add(1, Ordering::Relaxed);
        }
        cliente.manda("COMPR");
        cliente.resetar();
    });
    let segundo = nada_ficou(&prova, de_sempre);

    let fim = prova.concluir();
    let ouvidas = ouvidas.into_inner();
    // Cada venda, e o que se perguntou no fim: quem veio atrás de todos, e o último.
    assert_eq!((fim.termino.conta("vendas"), fim.comandos()), (ouvidas, ouvidas + 2));
    assert_eq!(fim.no_registro("desconectou (reset)"), vezes);
    assert_eq!(fim.no_registro(&segundo), 1);
    fim.relatar("reset no meio de um comando", format!("{vezes} resets, {ouvidas} vendas ouvidas"));
}

/// Conecta de um endereço de 127.0.0.0/8 que muda com a vez: quem fecha primeiro prende a sua porta
/// por um minuto, e de um endereço só elas acabariam.
fn conectar_de(vez: usize, servidor: SocketAddr) -> TcpStream {
    let [_, a, b, c] = (vez as u32 / 1000 + 1).to_be_bytes();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let daqui = IpAddr::V4(Ipv4Addr::new(127, a, b, c));
    socket.bind(&SocketAddr::new(daqui, 0).into()).unwrap();
    socket.connect(&servidor.into()).unwrap();
    socket.into()
}

/// Conecta e fecha `vezes` vezes, sem dizer nada. Cada mão confere de vez em quando que o servidor a
/// acompanha: a fila do sistema não é o que se prova aqui.
fn conectar_e_fechar(prova: &Prova, vezes: usize) {
    em_varias_maos(vezes, |vez| {
        drop(conectar_de(vez, prova.endereco()));
        if vez % 1000 < MAOS {
            Cliente::conectar(prova.endereco()).pede("CONSULTAR");
        }
    });
}

#[test]
fn conectar_e_fechar_sem_parar_nao_vaza_nem_cresce() {
    let vezes = quantas(50_000, 200_000);
    let mut prova = Prova::abrir(&[]);
    let de_sempre = prova.exame.descritores();
    // A primeira onda dá ao servidor o tamanho que ele vai ter; daí em diante, não cresce.
    conectar_e_fechar(&prova, 5000);
    passou(&prova, de_sempre);
    prova.marcar_memoria();
    conectar_e_fechar(&prova, vezes);
    let segundo = nada_ficou(&prova, de_sempre);

    let fim = prova.concluir();
    let perguntaram = fim.comandos();
    assert_eq!(fim.termino.conta("conexões atendidas"), 1 + 5000 + vezes as u64 + perguntaram);
    assert_eq!(fim.no_registro(&segundo), 1);
    assert!(fim.cresceu < 4 * MIB, "cresceu {} bytes", fim.cresceu);
    fim.relatar("conectar e fechar", format!("{vezes} vezes, nenhum descritor a mais"));
}
