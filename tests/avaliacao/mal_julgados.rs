//! Os que já foram mal julgados: certos menos em um jeito.

use super::*;

#[test]
fn demorar_com_a_trava_na_mao_nao_custa_nada_e_se_diz() {
    // Com trinta na fila, o último espera mais que o prazo de um pedido sozinho.
    let Some(laudo) = quase_certo("demora_com_a_trava", "--rodadas 1 --compradores 35") else {
        return;
    };
    laudo.confere(TUDO, SEM_LOG, &["nenhuma contradição", "é lento: cada compra levou 10"]);
}

#[test]
fn demorar_fora_da_trava_tambem_nao_custa_nada() {
    let Some(laudo) = quase_certo("demora_fora", BREVE) else { return };
    laudo.confere(TUDO, SEM_LOG, &["é lento: cada compra levou 10"]);
}

#[test]
fn uma_trava_que_ninguem_solta_se_acha_depressa() {
    let Some(laudo) = quase_certo("prende_a_trava", BREVE) else { return };
    let [threads, exclusao, protocolo, _] = laudo.pontos();
    assert_eq!((threads, protocolo), (3.0, 2.0), "{}", laudo.fim.saida);
    assert!(exclusao > 0.0 && exclusao < 2.0, "{}", laudo.fim.saida);
    assert!(laudo.viu().contains("um Lock que ninguém soltou?"), "{}", laudo.viu());
}

#[test]
fn fechar_a_cada_resposta_se_diz_uma_vez_custa_uma_vez_e_a_disputa_se_faz() {
    let Some(laudo) = quase_certo("fecha", BREVE) else { return };
    let frases = ["10 vendas em 1 rodada, nenhuma contradição"];
    laudo.confere([2.0, 4.0, 2.0, 1.0], SEM_EXTRAS, &frases);
    assert_eq!(laudo.fim.saida.matches("o servidor fecha a conexão").count(), 1);
}

#[test]
fn um_por_vez_que_fecha_perde_todas_as_threads() {
    let Some(laudo) = quase_certo("um_por_vez_e_fecha", BREVE) else { return };
    let frases = ["sem pontos, porque atende um cliente por vez", "não se prova"];
    laudo.confere([0.0, 0.0, 2.0, 1.0], SEM_EXTRAS, &frases);
}

#[test]
fn fechar_so_depois_de_comprar_se_diz_e_so_o_aviso_perde() {
    for (jeito, depois_de) in
        [("fecha_na_compra", "a COMPRAR e a"), ("fecha_na_recusa", "a COMPRAR sem estoque")]
    {
        let Some(laudo) = quase_certo(jeito, BREVE) else { return };
        assert_eq!(laudo.pontos(), TUDO, "{}", laudo.fim.saida);
        let dito = format!("fecha a conexão depois de responder {depois_de}");
        assert!(laudo.fim.saida.contains(&dito), "{}", laudo.fim.saida);
    }
}

#[test]
fn quem_fecha_sem_ler_nao_tem_ponto_nenhum() {
    let Some(laudo) = quase_certo("fecha_sem_ler", BREVE) else { return };
    laudo.confere([0.0; 4], SEM_EXTRAS, &["não fala o protocolo"]);
}

#[test]
fn o_que_nao_e_um_servidor_de_vendas_nao_tem_ponto_nenhum() {
    let Some(python) = python() else { return };
    let pasta = tempfile::tempdir().unwrap();
    let porta = porta_livre();
    let comando =
        format!("cd '{}'; exec '{python}' -m http.server {porta}", pasta.path().display());
    let laudo = avaliar_comando(&comando, porta, BREVE);
    // De uma página, qual das linhas se cita depende de como ela chega.
    laudo.confere([0.0; 4], SEM_EXTRAS, &["não fala o protocolo: a CONSULTAR respondeu '"]);
    assert_eq!(laudo.json["vereditos"]["estoque"]["veredito"], "sem-veredito");
}

#[test]
fn o_mesmo_numero_a_dois_nao_se_chama_vender_a_mais() {
    let Some(laudo) = quase_certo("formata_fora", FOLGADA) else { return };
    let frase =
        "disse o mesmo número a duas compras na única rodada, sem vender a mais (10 vendas)";
    laudo.confere([3.0, 0.0, 2.0, 1.0], SEM_LOG, &[frase]);
    let vereditos = &laudo.json["vereditos"];
    assert_eq!(vereditos["estoque"]["veredito"], "inconsistente");
    assert_eq!(vereditos["aviso"]["veredito"], "cumprido");
}

#[test]
fn a_compra_que_sempre_da_erro_tem_por_razao_o_que_o_servidor_disse() {
    let Some(laudo) = quase_certo("compra_da_erro", BREVE) else { return };
    let veio =
        r"esperava 'Compra realizada. Estoque restante: 9', e veio 'Erro\u{1b}[2J interno 500'";
    laudo.confere([3.0, 0.0, 0.8, 1.0], SEM_EXTRAS, &[veio]);
    assert_eq!(laudo.viu().matches(veio).count(), 2, "no Protocolo e na Exclusão: {}", laudo.viu());
}

#[test]
fn sem_o_aviso_o_estoque_continua_certo_e_o_laudo_diz_os_dois() {
    let Some(laudo) = quase_certo("nao_avisa", BREVE) else { return };
    laudo.confere(TUDO, SEM_EXTRAS, &["que há um Lock, só o código mostra"]);
    assert_eq!(laudo.json["vereditos"]["estoque"]["veredito"], "consistente");
    assert_eq!(laudo.json["vereditos"]["aviso"]["veredito"], "nao-cumprido");
    for frase in
        ["Veredito do estoque: CONSISTENTE", "Veredito do AVISO, um extra que não muda a nota"]
    {
        assert!(laudo.fim.saida.contains(frase), "{}", laudo.fim.saida);
    }
}

#[test]
fn o_numero_trocado_sempre_do_mesmo_modo_se_cobra_uma_vez() {
    for jeito in ["restante_antes", "diz_as_vendidas"] {
        let Some(laudo) = quase_certo(jeito, BREVE) else { return };
        let frases = ["os números não batem", "nenhuma contradição"];
        laudo.confere([3.0, 4.0, 1.4, 1.0], SEM_LOG, &frases);
    }
}

#[test]
fn a_recusa_atrasada_nunca_e_um_aviso() {
    // Com a trava na mão e sem AVISO: as recusas dos últimos chegam muito depois das dos primeiros.
    let Some(laudo) = quase_certo("demora_e_nao_avisa", "--rodadas 1 --compradores 35") else {
        return;
    };
    laudo.confere(TUDO, SEM_EXTRAS, &["não chegou a ninguém"]);
}

#[test]
fn responder_duas_vezes_a_compra_custa_o_protocolo_uma_vez_e_nao_e_um_aviso() {
    let Some(laudo) = quase_certo("responde_duas_vezes", BREVE) else { return };
    let [threads, exclusao, protocolo, robustez] = laudo.pontos();
    assert_eq!((threads, exclusao, robustez), (3.0, 4.0, 1.0), "{}", laudo.fim.saida);
    assert!((protocolo - 1.4).abs() < 1e-9, "{}", laudo.fim.saida);
    assert!(laudo.viu().contains("mais respostas do que pedidos"), "{}", laudo.viu());
}

#[test]
fn responder_a_outro_cliente_custa_o_protocolo_todo() {
    let Some(laudo) = quase_certo("erra_o_cliente", BREVE) else { return };
    let [threads, _, protocolo, robustez] = laudo.pontos();
    assert_eq!((threads, protocolo, robustez), (3.0, 0.0, 1.0), "{}", laudo.fim.saida);
    assert!(laudo.viu().contains("a resposta foi para o outro"), "{}", laudo.viu());
}

#[test]
fn quem_sauda_quem_chega_tem_dez() {
    let Some(laudo) = quase_certo("sauda", BREVE) else { return };
    laudo.confere(TUDO, SEM_LOG, &[]);
}
