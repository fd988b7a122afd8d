//! Sinais no pior momento: o cliente que para com o AVISO a caminho, o servidor que encerra no meio
//! da corrida.

use super::*;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use testes::{Cliente, Processo, Signal, ate, comando, conta, veredito};

#[test]
fn uma_multidao_congelada_sob_o_aviso_nao_prende_os_outros_e_acaba_bem() {
    let prova = Prova::abrir(&["--estoque", "1000"]);
    let mut outros: Vec<_> = (0..20).map(|_| prova.servidor.cliente()).collect();
    for outro in &mut outros {
        assert_eq!(outro.pede("CONSULTAR"), "Estoque atual: 1000");
    }
    let de_sempre = prova.exame.descritores();
    // Sem acelerar: depois de CONSULTAR cada um ainda decide por uns segundos, todos conectados.
    let opcoes = format!(
        "--servidor {} --usuarios 50 --ciclos 2 --decisao 3s --escuta 1s",
        prova.endereco()
    );
    let mut multidao = Processo::iniciar(comando("cliente", opcoes.split(' ')));
    ate("a multidão conectada", || (prova.exame.descritores() == de_sempre + 50).then_some(()));
    multidao.sinal(Signal::STOP);

    outros[0].manda("COMPRAR\n".repeat(1000));
    assert_eq!(outros[0].linhas(1000).pop().unwrap(), compra(0));
    let antes = Instant::now();
    for outro in &mut outros {
        assert_eq!(outro.linha(), AVISO);
    }
    let aviso = antes.elapsed();
    assert_eq!(prova.exame.descritores(), de_sempre + 50, "a multidão congelada perdeu alguém");
    multidao.sinal(Signal::CONT);

    let dela = multidao.termino();
    assert_eq!((dela.codigo, veredito(&dela)), (Some(0), "Veredito: CONSISTENTE"), "{dela:?}");
    assert_eq!((conta(&dela, "AVISOs"), conta(&dela, "falhas")), (50, 0), "{dela:?}");
    drop(outros);
    let fim = prova.concluir();
    assert_eq!((fim.termino.conta("vendas"), fim.honesto.avisos), (1000, 1));
    let medido =
        format!("50 congelados, AVISO aos outros 20 em {}, depois CONSISTENTE", duracao(aviso));
    fim.relatar("SIGSTOP com o AVISO a caminho", medido);
}

const ENCERRANDO: &str = "ERRO: Servidor encerrando";

/// Compra sem parar, sempre com 16 pedidos no ar, até o servidor fechar em ordem; conta as respostas.
fn comprar_ate_o_fim(mut cliente: Cliente, ouvidas: &AtomicU64) -> u64 {
    let mut minhas = 0;
    cliente.manda("COMPRAR\n".repeat(16));
    while let Some(linha) = cliente.linha_ou_fim() {
        if linha == ENCERRANDO {
            assert_eq!(cliente.linha_ou_fim(), None);
            break;
        }
        assert!(linha.starts_with("Compra realizada. Estoque restante: "), "{linha}");
        minhas += 1;
        ouvidas.fetch_add(1, Ordering::Relaxed);
        cliente.manda("COMPRAR\n");
    }
    minhas
}

#[test]
fn sigterm_no_meio_da_corrida_entrega_toda_resposta_e_a_conta_fecha() {
    let bastante = quantas(100_000, 1_000_000) as u64;
    let mut servidor = Servidor::abrir(&["--silencioso", "--estoque", "1000000000"]);
    let exame = servidor.exame();
    let honesto = Honesto::iniciar(servidor.endereco(), PAUSA);
    let memoria = exame.memoria();
    let ouvidas = AtomicU64::new(0);
    let (cresceu, pedido, vendidas): (u64, Instant, u64) = thread::scope(|escopo| {
        let compradores: Vec<_> = (0..50)
            .map(|_| {
                let cliente = servidor.cliente();
                let ouvidas = &ouvidas;
                escopo.spawn(move || comprar_ate_o_fim(cliente, ouvidas))
            })
            .collect();
        ate("a corrida andar", || (ouvidas.load(Ordering::Relaxed) > bastante).then_some(()));
        let cresceu = exame.pico().saturating_sub(memoria);
        let pedido = Instant::now();
        servidor.sinal(Signal::TERM);
        let vendidas = compradores.into_iter().map(|comprador| comprador.join().unwrap()).sum();
        (cresceu, pedido, vendidas)
    });
    let honesto = honesto.ate_o_fim();
    let termino = servidor.termino();
    let demorou = pedido.elapsed();
    assert_eq!(termino.codigo, Some(0), "{termino:?}");
    assert_eq!(termino.conta("vendas"), vendidas);
    let fim = Fim { termino, honesto, cresceu, registro: None };
    assert_eq!(fim.comandos(), vendidas);
    let medido = format!("{vendidas} vendas, todas ouvidas; fechou em {}", duracao(demorou));
    fim.relatar("SIGTERM no meio da corrida", medido);
}
