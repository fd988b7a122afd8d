//! As cenas de quem numera as compras: a queda, a volta, a pergunta de novo e o que fica na história.

use super::super::pedidos::{INSISTENCIA, Recusa, UM_A_CADA};
use super::*;

fn numerado(ciclos: u32) -> Usuario {
    usuario(ciclos, false).com_pedidos("abc".into())
}

/// O id que se vai pedir.
fn pedido(passo: Passo) -> String {
    match passo {
        Passo::Enviar(Comando::Pedido(id)) => id.texto().to_owned(),
        outro => panic!("{outro:?}"),
    }
}

/// Conecta, consulta, decide e envia a compra, um segundo depois de `agora`.
fn comprar(ana: &mut Usuario, agora: u64) -> String {
    conectar(ana, ms(agora));
    consultar(ana, ms(agora), 10);
    let id = pedido(silencio(ana, ms(agora + 1000)));
    ana.vai_enviar(ms(agora + 1000));
    id
}

/// Depois de uma queda, até quando fica fora.
fn fora(ana: &mut Usuario, agora: Duration) -> Duration {
    match ana.avancar(agora) {
        Passo::Ausentar(ate) => ate,
        outro => panic!("{outro:?}"),
    }
}

#[test]
fn quem_cai_sem_resposta_volta_e_pergunta_o_mesmo_id_e_fica_uma_operacao_so() {
    let mut ana = numerado(1);
    assert_eq!(comprar(&mut ana, 0), "abc-1-1");
    ana.caiu(ms(1010), Falha::Fechada);
    let volta = fora(&mut ana, ms(1010));
    assert!(volta > ms(1010) && volta < ms(1200), "{volta:?}");
    conectar(&mut ana, volta);
    // Não consulta de novo: primeiro, quer saber da compra.
    assert_eq!(pedido(ana.avancar(volta)), "abc-1-1");
    ana.vai_enviar(volta);
    ana.recebeu(ms(1500), Mensagem::Compra { restante: 9 });
    assert_eq!(ana.avancar(ms(1500)), Passo::Ouvir(ms(6500)), "e o ciclo continua");
    assert_eq!(silencio(&mut ana, ms(6500)), Passo::Terminar);
    let historia = ana.historia(ms(6500));
    assert_eq!((historia.ciclos, historia.operacoes.len()), (1, 2));
    let compra = &historia.operacoes[1];
    // O intervalo vai da primeira vez que partiu à primeira resposta.
    assert_eq!(compra.enviada, ms(1000));
    assert_eq!(compra.resposta, Some((ms(1500), Desfecho::Comprou(9))));
    assert_eq!((compra.conexao, compra.pedido.as_ref().unwrap().perguntas), (2, 2));
}

#[test]
fn insiste_por_um_tempo_certo_com_pausas_cada_vez_maiores_e_depois_a_compra_fica_por_saber() {
    let mut ana = numerado(2);
    comprar(&mut ana, 0);
    ana.caiu(ms(1010), Falha::Fechada);
    let mut agora = fora(&mut ana, ms(1010));
    let mut pausas = Vec::new();
    // Ninguém o recebe, até desistir.
    while ana.avancar(agora) == Passo::Conectar {
        ana.caiu(agora, Falha::SemConexao("recusada".into()));
        match ana.avancar(agora) {
            Passo::Ausentar(ate) => {
                pausas.push(ate - agora);
                agora = ate;
            }
            outro => {
                assert_eq!(outro, Passo::Terminar);
                break;
            }
        }
    }
    assert!(pausas.is_sorted() && *pausas.last().unwrap() < ms(2000), "{pausas:?}");
    assert!(agora >= ms(1000) + INSISTENCIA && agora < ms(3000) + INSISTENCIA, "{agora:?}");
    let historia = ana.historia(agora);
    assert_eq!(historia.operacoes.last().unwrap().resposta, None);
}

#[test]
fn quem_cai_antes_de_comprar_tambem_espera_que_o_servidor_volte_mas_nao_para_sempre() {
    let mut ana = numerado(9);
    conectar(&mut ana, ms(0));
    consultar(&mut ana, ms(0), 10);
    ana.caiu(ms(10), Falha::Fechada);
    let mut agora = fora(&mut ana, ms(10));
    // Conecta, e nada ouve.
    let mut vezes = 0;
    while ana.ciclos_gastos < 2 {
        conectar(&mut ana, agora);
        ana.caiu(agora, Falha::Fechada);
        agora = fora(&mut ana, agora);
        vezes += 1;
        assert!(vezes < 200, "nunca desiste");
    }
    assert!(agora >= INSISTENCIA, "{agora:?}");
}

#[test]
fn uma_em_cada_tantas_se_pergunta_de_novo_e_a_segunda_resposta_se_guarda() {
    let mut ana = Usuario { fase: Fase::Fora { ate: ms(0) }, ..numerado(2) };
    ana.historia.usuario = UM_A_CADA as usize - 1;
    let id = comprar(&mut ana, 0);
    ana.recebeu(ms(1010), Mensagem::Compra { restante: 9 });
    assert_eq!(pedido(ana.avancar(ms(1010))), id, "de novo o mesmo");
    ana.vai_enviar(ms(1020));
    ana.recebeu(ms(1030), Mensagem::Compra { restante: 8 });
    assert_eq!(ana.avancar(ms(1030)), Passo::Ouvir(ms(6030)));
    // E a seguinte não.
    silencio(&mut ana, ms(6030));
    consultar(&mut ana, ms(6030), 8);
    assert_ne!(pedido(silencio(&mut ana, ms(7030))), id);
    ana.vai_enviar(ms(7030));
    ana.recebeu(ms(7040), Mensagem::Compra { restante: 7 });
    assert_eq!(ana.avancar(ms(7040)), Passo::Ouvir(ms(12040)));
    let historia = ana.historia(ms(9000));
    let (compra, outra) = (&historia.operacoes[1], &historia.operacoes[3]);
    assert_eq!(compra.resposta, Some((ms(1010), Desfecho::Comprou(9))));
    let repetida = compra.pedido.as_ref().unwrap().repetida.as_ref().unwrap();
    assert_eq!((repetida.enviada, &repetida.desfecho), (ms(1020), &Desfecho::Comprou(8)));
    assert_eq!(outra.pedido.as_ref().unwrap().repetida, None);
}

#[test]
fn fora_de_alcance_nao_conclui_porque_a_primeira_vez_pode_ter_valido() {
    let mut ana = numerado(1);
    let id = comprar(&mut ana, 0);
    ana.recebeu(ms(1010), Mensagem::ForaDeAlcance);
    let Passo::Ouvir(ate) = ana.avancar(ms(1010)) else { panic!() };
    assert_eq!(pedido(silencio(&mut ana, ate)), id);
    ana.vai_enviar(ate);
    ana.recebeu(ms(1500), Mensagem::Esgotado);
    let historia = ana.historia(ms(9000));
    assert_eq!(historia.operacoes[1].resposta, Some((ms(1500), Desfecho::Recusado)));
    assert_eq!(historia.operacoes.len(), 2);
}

#[test]
fn quem_responde_a_consultar_e_a_nenhum_pedido_nao_o_conhece() {
    // Calou-se.
    let mut ana = numerado(9);
    comprar(&mut ana, 0);
    assert_eq!(ana.recepcao_do_pedido(), None);
    fora_em_silencio(&mut ana, ms(1000) + PRAZO_DA_RESPOSTA);
    assert_eq!(ana.recepcao_do_pedido(), Some(Err(Recusa::Calou)));
    // Fechou, de cada vez; e isso só se diz passado o mesmo tempo.
    let mut bia = numerado(9);
    comprar(&mut bia, 0);
    let mut agora = ms(1010);
    while agora < ms(1000) + PRAZO_DA_RESPOSTA {
        bia.caiu(agora, Falha::Fechada);
        assert_eq!(bia.recepcao_do_pedido(), None, "{agora:?}");
        agora = fora(&mut bia, agora);
        conectar(&mut bia, agora);
        bia.vai_enviar(agora);
    }
    bia.caiu(agora, Falha::Fechada);
    assert_eq!(bia.recepcao_do_pedido(), Some(Err(Recusa::Calou)));
}

#[test]
fn quem_saiu_do_ar_ou_ja_entendeu_um_pedido_nao_passa_por_quem_o_nao_conhece() {
    // Caiu logo, e depois nem se deixa conectar.
    let mut ana = numerado(1);
    comprar(&mut ana, 0);
    ana.caiu(ms(1010), Falha::Fechada);
    let mut agora = fora(&mut ana, ms(1010));
    while agora < ms(1000) + 2 * PRAZO_DA_RESPOSTA {
        assert_eq!(ana.avancar(agora), Passo::Conectar);
        ana.caiu(agora, Falha::SemConexao("recusada".into()));
        assert_eq!(ana.recepcao_do_pedido(), None, "{agora:?}");
        agora = fora(&mut ana, agora);
    }
    // Disse que está fora de alcance, e depois calou-se.
    let mut bia = numerado(1);
    comprar(&mut bia, 0);
    bia.recebeu(ms(1010), Mensagem::ForaDeAlcance);
    assert_eq!(bia.recepcao_do_pedido(), Some(Ok(())));
    let Passo::Ouvir(ate) = bia.avancar(ms(1010)) else { panic!() };
    pedido(silencio(&mut bia, ate));
    bia.vai_enviar(ate);
    fora_em_silencio(&mut bia, ate + PRAZO_DA_RESPOSTA);
    assert_eq!(bia.recepcao_do_pedido(), Some(Ok(())));
}

/// Nada chegou até o prazo: caiu.
fn fora_em_silencio(quem: &mut Usuario, agora: Duration) {
    assert!(matches!(silencio(quem, agora), Passo::Ausentar(_)));
}
