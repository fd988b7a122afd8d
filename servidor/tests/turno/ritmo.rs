//! Quem não lê, quem lê aos goles, quem manda sem parar; e os prazos, com o relógio na mão.

use super::*;

// Ritmos: quem não lê, quem lê aos goles, quem manda sem parar.

#[test]
fn de_quem_nao_le_nao_se_le_mais_e_depois_tudo_sai_na_ordem() {
    let mut mesa = Mesa::com_estoque(5);
    let (ana, bia) = (mesa.entra(), mesa.entra());
    ana.para_de_ler();
    ana.manda("COMPRAR\nCONSULTAR\n");
    mesa.turno();
    // Duas respostas, mas uma só tentativa de escrever.
    assert_eq!(mesa.gestos(), [Leu(0), Escreveu(0)]);
    ana.manda("COMPRAR\nCONSULTAR\n");
    bia.manda("CONSULTAR\n");
    mesa.gira();
    // A segunda compra de ana ficou no socket dela: só uma unidade foi vendida.
    assert_eq!((bia.ouviu(), mesa.vendas()), ("Estoque atual: 4\n".into(), 1));
    ana.le_so_mais(10);
    mesa.gira();
    assert_eq!((ana.ouviu(), mesa.vendas()), ("Compra rea".into(), 1));
    ana.volta_a_ler();
    mesa.gira();
    assert_eq!(
        ana.ouviu(),
        "lizada. Estoque restante: 4\n\
         Estoque atual: 4\n\
         Compra realizada. Estoque restante: 3\n\
         Estoque atual: 3\n"
    );
}

#[test]
fn quem_fecha_sem_ter_lido_ainda_recebe_tudo_antes_de_sair_do_slab() {
    let mut mesa = Mesa::com_estoque(1);
    let ana = mesa.entra();
    ana.para_de_ler();
    ana.manda("COMPRAR\n");
    mesa.gira();
    ana.manda("CONSULTAR\n");
    ana.fecha();
    mesa.gira();
    assert!(ana.conectada());
    ana.volta_a_ler();
    mesa.gira();
    assert_eq!(ana.ouviu(), format!("{ULTIMA}{AVISO}Estoque atual: 0\n"));
    assert!(!ana.conectada());
}

#[test]
fn escritas_de_um_byte_dao_os_mesmos_bytes() {
    let mut mesa = Mesa::com_estoque(1);
    let ana = mesa.entra();
    ana.le_aos_goles_de(1);
    ana.manda("COMPRAR\nSAIR\n");
    mesa.gira();
    assert_eq!(ana.ouviu(), format!("{ULTIMA}{AVISO}{ADEUS}"));
    assert!(ana.viu_o_fim());
}

#[test]
fn uma_interrupcao_do_sistema_nao_e_um_erro() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.manda("CONSULTAR\n");
    ana.interrompe_uma_leitura_e_uma_escrita();
    mesa.gira();
    assert_eq!(ana.ouviu(), "Estoque atual: 5\n");
    assert!(ana.conectada());
}

#[test]
fn quem_manda_sem_parar_nao_faz_ninguem_esperar() {
    let mut mesa = Mesa::com_estoque(5);
    let (tagarela, ana) = (mesa.entra(), mesa.entra());
    let pedidos = 100 * 1024 / "CONSULTAR\n".len();
    tagarela.manda("CONSULTAR\n".repeat(pedidos));
    ana.manda("COMPRAR\n");
    mesa.turno();
    assert_eq!(ana.ouviu(), "Compra realizada. Estoque restante: 4\n");
    // Uma leitura por turno, e o trabalho não acaba antes dos bytes.
    for _ in 1..102_400 / LEITURA_POR_TURNO {
        assert!(mesa.tem_trabalho());
        mesa.turno();
    }
    mesa.gira();
    assert!(!mesa.tem_trabalho());
    assert_eq!(tagarela.ouviu().lines().count(), pedidos);
}

// Prazos, com o relógio na mão.

#[test]
fn o_ocioso_sai_no_prazo_e_quem_falou_fica() {
    let ocioso = Some(Duration::from_secs(60));
    let mut mesa = Mesa::com_limites(
        5,
        Limites { conexoes: 9, por_endereco: None, ocioso, memoria: usize::MAX },
    );
    let (ana, bia) = (mesa.entra(), mesa.entra());
    mesa.espera(Duration::from_secs(40));
    bia.manda("CONSULTAR\n");
    mesa.gira();
    mesa.espera(Duration::from_secs(19));
    assert!(ana.conectada());
    mesa.espera(2 * UM_SEGUNDO);
    // Ouve por quê, e o fim; a resposta de quem ainda fala não muda.
    assert_eq!(ana.ouviu(), OCIOSO);
    assert!(ana.viu_o_fim() && !bia.viu_o_fim());
    ana.fecha();
    mesa.gira();
    assert!(!ana.conectada() && !ana.levou_reset());
    mesa.espera(Duration::from_secs(40));
    assert_eq!(bia.ouviu(), format!("Estoque atual: 5\n{OCIOSO}"));
    // Quem não fecha o seu lado sai no prazo para fechar.
    mesa.espera(PRAZO_PARA_FECHAR + UM_SEGUNDO);
    assert!(mesa.vazio());
}

#[test]
fn sem_o_prazo_de_ocioso_uma_hora_calado_nao_e_crime() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.manda("CONS");
    mesa.gira();
    mesa.espera(PRAZO_DA_LINHA - UM_SEGUNDO);
    ana.manda("ULTAR\n");
    mesa.gira();
    mesa.espera(UMA_HORA);
    ana.manda("CONSULTAR");
    mesa.gira();
    assert_eq!(ana.ouviu(), "Estoque atual: 5\n".repeat(2));
}

#[test]
fn um_byte_de_vez_em_quando_nao_estica_o_prazo_da_linha() {
    let mut mesa = Mesa::com_estoque(5);
    let (ana, bia) = (mesa.entra(), mesa.entra());
    ana.manda("x");
    mesa.gira();
    for _ in 1..PRAZO_DA_LINHA.as_secs() {
        mesa.espera(UM_SEGUNDO);
        ana.manda("x");
        mesa.gira();
        assert!(ana.conectada());
    }
    mesa.espera(2 * UM_SEGUNDO);
    assert!(!ana.conectada() && bia.conectada());
}

#[test]
fn o_prazo_da_saida_conta_desde_que_ha_o_que_dizer() {
    let mut mesa = Mesa::com_estoque(1);
    let (surda, ana) = (mesa.entra(), mesa.entra());
    surda.para_de_ler();
    mesa.espera(UMA_HORA);
    ana.manda("COMPRAR\n");
    mesa.gira();
    mesa.espera(PRAZO_DA_SAIDA - UM_SEGUNDO);
    assert!(surda.conectada());
    mesa.espera(2 * UM_SEGUNDO);
    assert!(!surda.conectada() && ana.conectada());
}

#[test]
fn quem_le_devagar_mas_le_nao_perde_o_prazo_da_saida() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.para_de_ler();
    ana.manda("CONSULTAR\n");
    mesa.gira();
    for _ in 0.."Estoque atual: 5".len() {
        mesa.espera(PRAZO_DA_SAIDA - UM_SEGUNDO);
        ana.le_so_mais(1);
        mesa.gira();
    }
    assert_eq!(ana.ouviu(), "Estoque atual: 5");
    mesa.espera(PRAZO_DA_SAIDA + UM_SEGUNDO);
    assert!(!ana.conectada());
}
