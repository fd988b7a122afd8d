//! O console que não anda: nenhuma resposta espera por ele, e cada linha que não saiu é contada.

use super::*;

use std::io::PipeWriter;
use std::process::Stdio;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use testes::{Captura, Cliente, ate, comando};

/// Mais do que se vende em qualquer um destes testes.
const ESTOQUE: usize = 1_000_000_000;

/// Um servidor com este console, ainda sem o honesto.
fn com_console(saida: impl Into<Stdio>, estoque: usize) -> Servidor {
    let mut comando = comando("servidor", ["--estoque", &estoque.to_string()]);
    comando.stdout(saida);
    Servidor::de(comando)
}

fn cano() -> (std::io::PipeReader, PipeWriter) {
    std::io::pipe().unwrap()
}

/// O outro lado do cano fechou, em todos os processos?
fn sem_leitor(escritor: &PipeWriter) -> bool {
    let mut vistos = [PollFd::new(escritor, PollFlags::empty())];
    poll(&mut vistos, Some(&Timespec::default())).unwrap();
    vistos[0].revents().contains(PollFlags::ERR)
}

/// As linhas que o registro tinha a dizer: cada comando, cada entrada, cada saída e os AVISOs.
fn produzidas(fim: &Fim, avisos: u64) -> u64 {
    fim.termino.conta("comandos") + 2 * fim.termino.conta("conexões atendidas") + avisos
}

/// Vende por um tempo, sem que ninguém leia o console; diz quantas.
fn vender_por(espera: Duration, prova: &Prova) -> u64 {
    const PEDACO: usize = 500;
    let mut cliente = prova.servidor.cliente();
    let antes = Instant::now();
    let mut restante = ESTOQUE;
    while antes.elapsed() < espera {
        cliente.manda("COMPRAR\n".repeat(PEDACO));
        restante -= PEDACO;
        assert_eq!(cliente.linhas(PEDACO).pop().unwrap(), compra(restante));
    }
    (ESTOQUE - restante) as u64
}

/// As linhas inteiras, menos as em que o registro informa o que perdeu; e a soma do que informou.
fn contar(texto: &str) -> (u64, u64) {
    let perda_informada = |linha: &str| {
        linha.split_once("registro: linhas perdidas: ").map(|(_, n)| n.parse::<u64>().unwrap())
    };
    let informadas: Vec<_> = texto.lines().filter_map(perda_informada).collect();
    let inteiras = texto.matches('\n').count() - informadas.len();
    (inteiras as u64, informadas.iter().sum())
}

#[test]
fn um_console_que_ninguem_le_nao_para_as_vendas() {
    let espera = Duration::from_secs(quantas(5, 30) as u64);
    let (mut leitor, escritor) = cano();
    let prova = Prova::diante_de(com_console(escritor, ESTOQUE), PAUSA);
    let vendas = vender_por(espera, &prova);

    let fim = prova.concluir();
    assert_eq!((fim.termino.conta("vendas"), fim.comandos()), (vendas, vendas));
    // O que está inteiro no cano saiu; todo o resto foi contado como perdido.
    let mut no_cano = String::new();
    leitor.read_to_string(&mut no_cano).unwrap();
    let (inteiras, informadas) = contar(&no_cano);
    let perdidas = fim.termino.conta(PERDIDAS);
    assert_eq!(informadas, 0, "o cano andou");
    assert_eq!(inteiras + perdidas, produzidas(&fim, 0), "{inteiras} no cano, {perdidas} perdidas");
    assert!(inteiras > 0 && perdidas > 0, "{inteiras} no cano, {perdidas} perdidas");
    let medido =
        format!("{vendas} vendas em {espera:?}, {inteiras} linhas no cano, {perdidas} perdidas");
    fim.relatar("um console que ninguém lê", medido);
}

#[test]
fn um_console_que_volta_a_andar_informa_cada_linha_que_perdeu() {
    let (leitor, escritor) = cano();
    let prova = Prova::diante_de(com_console(escritor, ESTOQUE), PAUSA);
    let vendas = vender_por(Duration::from_secs(1), &prova);
    let console = Captura::de(leitor);

    let fim = prova.concluir();
    let dito = String::from_utf8(console.ate_o_fim()).unwrap();
    let (inteiras, informadas) = contar(&dito);
    assert!(informadas > 0, "nada se perdeu em {vendas} vendas");
    assert_eq!(fim.termino.conta(PERDIDAS), informadas);
    assert_eq!(inteiras + informadas, produzidas(&fim, 0));
    let medido = format!("{vendas} vendas, {inteiras} linhas ditas, {informadas} informadas");
    fim.relatar("um console que volta a andar", medido);
}

#[test]
fn um_console_fechado_depois_da_primeira_linha_nao_para_as_vendas() {
    let (leitor, escritor) = cano();
    let vigia = escritor.try_clone().unwrap();
    let servidor = com_console(escritor, 3);
    let cliente = servidor.cliente();
    // Como faz um `| head -1`. Ninguém mais falou: só há uma linha para ele ler.
    let mut primeira = String::new();
    BufReader::new(leitor).read_line(&mut primeira).unwrap();
    assert!(primeira.ends_with("conectou (ativas: 1)\n"), "{primeira}");
    // Um programa que outro teste inicie agora herda esta ponta por um instante, até o `exec`.
    ate("ninguém mais ler", || sem_leitor(&vigia).then_some(()));
    tudo_mais_se_perde("um console fechado (| head -1)", servidor, cliente, 1);
}

#[test]
fn um_disco_cheio_nao_para_as_vendas() {
    let cheio = File::options().write(true).open("/dev/full").unwrap();
    let servidor = com_console(cheio, 3);
    let cliente = servidor.cliente();
    tudo_mais_se_perde("um disco cheio (/dev/full)", servidor, cliente, 0);
}

/// Vende com um console em que só saíram `ditas` linhas: cada uma das outras consta como perdida.
fn tudo_mais_se_perde(falha: &str, servidor: Servidor, mut cliente: Cliente, ditas: u64) {
    let prova = Prova::diante_de(servidor, PAUSA);
    for restante in [2, 1, 0] {
        assert_eq!(cliente.pede("COMPRAR"), compra(restante));
    }
    assert_eq!(cliente.linha(), AVISO);
    for _ in 0..1000 {
        assert_eq!(cliente.pede("COMPRAR"), "ERRO: Produto esgotado");
    }
    drop(cliente);
    let fim = prova.concluir();
    assert_eq!(fim.honesto.avisos, 1);
    assert_eq!((fim.termino.conta("vendas"), fim.termino.conta("recusas (esgotado)")), (3, 1000));
    let perdidas = fim.termino.conta(PERDIDAS);
    assert_eq!(ditas + perdidas, produzidas(&fim, 1));
    fim.relatar(falha, format!("{ditas} linhas ditas, {perdidas} perdidas, contadas uma a uma"));
}
