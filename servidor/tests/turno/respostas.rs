//! As respostas, o AVISO, e os clientes que não mandam fim de linha.

use super::*;

// Respostas: exatas, na ordem, e só depois de tudo decidido.

#[test]
fn respostas_exatas_na_ordem_dos_pedidos() {
    let mut mesa = Mesa::com_estoque(2);
    let ana = mesa.entra();
    ana.manda("CONSULTAR\n\ncomprar\r\n  Ajuda \nabc\nCONSULTAR\n");
    mesa.turno();
    assert_eq!(
        ana.ouviu(),
        "Estoque atual: 2\n\
         Compra realizada. Estoque restante: 1\n\
         Comandos: CONSULTAR (estoque atual), COMPRAR (uma), PEDIDO id (uma vez por id), AJUDA, SAIR\n\
         ERRO: Comando desconhecido. Use CONSULTAR, COMPRAR, PEDIDO, AJUDA ou SAIR\n\
         Estoque atual: 1\n"
    );
    assert_eq!(mesa.contas().pedidos, 5);
}

#[test]
fn um_pedido_repetido_tem_a_resposta_da_primeira_vez_por_qualquer_conexao() {
    let mut mesa = Mesa::com_estoque(2);
    let (ana, bia) = (mesa.entra(), mesa.entra());
    ana.manda("PEDIDO x\nPEDIDO x\nPEDIDO y\n");
    bia.manda("PEDIDO y\nPEDIDO z\nCONSULTAR\n");
    mesa.turno();
    let uma = "Compra realizada. Estoque restante: 1\n";
    assert_eq!(ana.ouviu(), format!("{uma}{uma}{ULTIMA}{AVISO}"));
    assert_eq!(bia.ouviu(), format!("{AVISO}{ULTIMA}ERRO: Produto esgotado\nEstoque atual: 0\n"));
    // Quem o repete não esgota o estoque outra vez.
    bia.manda("PEDIDO y\nPEDIDO x\nPEDIDO z\n");
    mesa.turno();
    assert_eq!(bia.ouviu(), format!("{ULTIMA}{uma}ERRO: Produto esgotado\n"));
    assert_eq!((ana.ouviu(), mesa.vendas()), (String::new(), 2));
}

#[test]
fn um_pedido_espera_o_fim_da_linha_e_um_id_que_sirva() {
    let mut mesa = Mesa::com_estoque(2);
    let ana = mesa.entra();
    ana.manda("PEDIDO abc");
    mesa.turno();
    assert_eq!(ana.ouviu(), "");
    ana.manda("d\nPEDIDO\nPEDIDO a b\nPEDIDO ");
    mesa.turno();
    let nao_serve =
        "ERRO: PEDIDO leva um identificador de 1 a 64 caracteres ASCII visiveis, sem espacos\n";
    let uma = "Compra realizada. Estoque restante: 1\n";
    assert_eq!(ana.ouviu(), format!("{uma}{nao_serve}{nao_serve}"));
    assert_eq!(mesa.vendas(), 1);
}

#[test]
fn quem_entra_nao_ouve_nada_antes_de_pedir() {
    let mut mesa = Mesa::com_estoque(2);
    let ana = mesa.entra();
    mesa.turno();
    mesa.espera(UMA_HORA);
    assert_eq!(ana.ouviu(), "");
    assert!(ana.conectada());
}

#[test]
fn nada_sai_antes_de_o_lote_inteiro_estar_decidido() {
    let mut mesa = Mesa::com_estoque(2);
    let (ana, bia) = (mesa.entra(), mesa.entra());
    ana.manda("COMPRAR\n");
    bia.manda("COMPRAR\n");
    mesa.turno();
    // Uma leitura de cada, e só então uma escrita para cada, com o AVISO junto da resposta.
    assert_eq!(mesa.gestos(), [Leu(0), Leu(1), Escreveu(0), Escreveu(1)]);
    assert_eq!(ana.ouviu(), format!("Compra realizada. Estoque restante: 1\n{AVISO}"));
    assert_eq!(bia.ouviu(), format!("{ULTIMA}{AVISO}"));
}

// O AVISO: a quem, quando e quantas vezes.

#[test]
fn o_aviso_vem_depois_da_resposta_do_comprador_e_chega_a_todos_no_mesmo_turno() {
    let mut mesa = Mesa::com_estoque(1);
    let (antes, ana, depois) = (mesa.entra(), mesa.entra(), mesa.entra());
    ana.manda("COMPRAR\n");
    mesa.turno();
    assert_eq!(ana.ouviu(), format!("{ULTIMA}{AVISO}"));
    assert_eq!((antes.ouviu(), depois.ouviu()), (AVISO.into(), AVISO.into()));
}

#[test]
fn o_aviso_sai_uma_vez_so() {
    let mut mesa = Mesa::com_estoque(1);
    let (ana, bia) = (mesa.entra(), mesa.entra());
    ana.manda("COMPRAR\nCOMPRAR\n");
    bia.manda("COMPRAR\n");
    mesa.turno();
    bia.manda("COMPRAR\n");
    mesa.gira();
    let esgotado = "ERRO: Produto esgotado\n";
    assert_eq!(ana.ouviu(), format!("{ULTIMA}{AVISO}{esgotado}"));
    assert_eq!(bia.ouviu(), format!("{AVISO}{esgotado}{esgotado}"));
}

#[test]
fn quem_so_fechou_o_seu_lado_no_turno_da_venda_ainda_ouve_o_aviso() {
    let mut mesa = Mesa::com_estoque(1);
    let (antes, ana, depois) = (mesa.entra(), mesa.entra(), mesa.entra());
    antes.fecha();
    ana.manda("COMPRAR\n");
    depois.fecha();
    mesa.turno();
    assert_eq!((antes.ouviu(), depois.ouviu()), (AVISO.into(), AVISO.into()));
    assert!(!antes.conectada() && !depois.conectada() && ana.conectada());
}

#[test]
fn quem_compra_a_ultima_e_sai_ouve_o_aviso_antes_da_despedida() {
    let mut mesa = Mesa::com_estoque(1);
    let ana = mesa.entra();
    ana.manda("COMPRAR\nSAIR\n");
    mesa.turno();
    assert_eq!(ana.ouviu(), format!("{ULTIMA}{AVISO}{ADEUS}"));
}

#[test]
fn o_aviso_nao_e_de_quem_saiu_antes_foi_recusado_ou_chegou_depois() {
    let mut mesa = Mesa::com_limites(
        1,
        Limites { conexoes: 3, por_endereco: None, ocioso: None, memoria: usize::MAX },
    );
    let (saiu_ontem, saiu_agora, ana) = (mesa.entra(), mesa.entra(), mesa.entra());
    saiu_ontem.manda("SAIR\n");
    mesa.turno();
    let recusada = mesa.entra();
    recusada.para_de_ler();
    saiu_agora.manda("SAIR\n");
    ana.manda("COMPRAR\n");
    mesa.gira();
    recusada.volta_a_ler();
    saiu_ontem.fecha();
    mesa.gira();
    let atrasada = mesa.entra();
    mesa.gira();
    assert_eq!((saiu_ontem.ouviu(), saiu_agora.ouviu()), (ADEUS.into(), ADEUS.into()));
    assert_eq!((recusada.ouviu(), atrasada.ouviu()), (LOTADO.into(), String::new()));
    assert_eq!(ana.ouviu(), format!("{ULTIMA}{AVISO}"));
}

#[test]
fn quem_consulta_em_volta_da_venda_ouve_tudo_no_seu_lugar() {
    let mut mesa = Mesa::com_estoque(1);
    let (antes, ana, depois) = (mesa.entra(), mesa.entra(), mesa.entra());
    antes.manda("CONSULTAR\n");
    ana.manda("CONSULTAR\nCOMPRAR\nCONSULTAR\n");
    depois.manda("CONSULTAR\n");
    mesa.turno();
    assert_eq!(antes.ouviu(), format!("Estoque atual: 1\n{AVISO}"));
    assert_eq!(ana.ouviu(), format!("Estoque atual: 1\n{ULTIMA}{AVISO}Estoque atual: 0\n"));
    assert_eq!(depois.ouviu(), format!("{AVISO}Estoque atual: 0\n"));
}

// A palavra solta: os clientes que não mandam fim de linha.

#[test]
fn a_palavra_solta_vale_na_hora_e_o_fim_de_linha_atrasado_nao_diz_nada() {
    let mut mesa = Mesa::com_estoque(2);
    let ana = mesa.entra();
    ana.manda("COMPRAR");
    mesa.turno();
    assert_eq!(ana.ouviu(), "Compra realizada. Estoque restante: 1\n");
    ana.manda("\r\n");
    mesa.turno();
    assert_eq!(ana.ouviu(), "");
    assert_eq!(mesa.contas().pedidos, 1);
}

#[test]
fn meia_palavra_espera_a_outra_metade() {
    let mut mesa = Mesa::com_estoque(2);
    let ana = mesa.entra();
    for pedaco in ["CONS", "ULT", "SAI"] {
        ana.manda(pedaco);
        mesa.gira();
        assert_eq!(ana.ouviu(), "");
    }
    ana.manda("\nCONSUL");
    mesa.gira();
    assert!(ana.ouviu().starts_with("ERRO: Comando desconhecido"));
    ana.manda("TAR");
    mesa.gira();
    assert_eq!(ana.ouviu(), "Estoque atual: 2\n");
}

#[test]
fn a_palavra_solta_no_fim_de_uma_leitura_cheia_vale_quando_o_socket_seca() {
    let mut mesa = Mesa::com_estoque(2);
    let ana = mesa.entra();
    ana.manda(leitura_cheia_que_termina_em("COMPRAR"));
    mesa.turno();
    // A leitura veio cheia: ainda não se sabe se a linha continua.
    assert_eq!(ana.ouviu(), "");
    assert!(mesa.tem_trabalho());
    mesa.turno();
    assert_eq!(ana.ouviu(), "Compra realizada. Estoque restante: 1\n");
}
