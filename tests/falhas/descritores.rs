//! O servidor sem descritores e com a fila da porta cheia: espera sem gastar, e volta sozinho.

use super::*;

use std::thread;

use testes::{Cliente, ate};

/// A fila que o servidor pede, e que o sistema pode encurtar, com os que ela ainda deixa pela metade.
const FILA: usize = 4096 + 400;

/// Uma conexão pedida, sem esperar que se complete.
fn pedir_conexao(endereco: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_nonblocking(true).unwrap();
    // "Em andamento" é um erro, e é o que se espera.
    let _ = socket.connect(&endereco.into());
    socket
}

/// Alguém que já está na fila, e já pediu.
fn na_fila(prova: &Prova) -> Cliente {
    let mut cliente = prova.servidor.cliente();
    cliente.manda("CONSULTAR\n");
    cliente
}

#[test]
fn sem_descritores_e_com_a_fila_cheia_espera_sem_gastar_e_volta_a_atender() {
    const JANELA: Duration = Duration::from_secs(2);
    // O honesto vai devagar: o processador que se mede aqui é o de quem espera, e não o dele.
    let prova = Prova::diante_de(Servidor::abrir(&["--silencioso"]), Duration::from_millis(20));
    let de_sempre = prova.exame.descritores();
    let aperto = prova.exame.maior_descritor() + 5;
    let limite = prova.exame.limitar_descritores(aperto as u64);
    let cabem: Vec<_> = (de_sempre..aperto).map(|_| prova.servidor.cliente()).collect();
    ate("os últimos descritores", || (prova.exame.descritores() == aperto).then_some(()));

    let mut primeiro = na_fila(&prova);
    let mut fila: Vec<_> = (0..2000).map(|_| pedir_conexao(prova.endereco())).collect();
    let mut do_meio = na_fila(&prova);
    fila.extend((fila.len()..FILA).map(|_| pedir_conexao(prova.endereco())));
    let de_fora = fila.iter().filter(|socket| socket.peer_addr().is_err()).count();
    assert!(de_fora > 0, "a fila do sistema não encheu com {FILA}");

    let antes = prova.exame.processador();
    thread::sleep(JANELA);
    let gastou = prova.exame.processador() - antes;
    assert_eq!(prova.exame.descritores(), aperto, "aceitou sem ter com quê");
    assert!(gastou < JANELA / 20, "gastou {gastou:?} em {JANELA:?}, sem poder fazer nada");

    let folga = Instant::now();
    prova.exame.limitar_descritores(limite);
    assert_eq!(primeiro.linha(), "Estoque atual: 10");
    let voltou = folga.elapsed();
    assert_eq!(do_meio.linha(), "Estoque atual: 10");
    let todos = folga.elapsed();
    assert!(voltou < Duration::from_secs(5), "demorou {voltou:?}");
    drop((cabem, primeiro, fila, do_meio));
    ate("os descritores de volta", || (prova.exame.descritores() == de_sempre).then_some(()));

    let fim = prova.concluir();
    let medido = format!(
        "{FILA} à porta, {de_fora} nem na fila, {} do processador em {}; com descritores, o primeiro \
         em {} e o do meio em {}",
        duracao(gastou),
        duracao(JANELA),
        duracao(voltou),
        duracao(todos)
    );
    fim.relatar("sem descritores", medido);
}
