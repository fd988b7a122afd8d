//! Enganos no livro: o que se firma, quem o vigia, a faxina, a conferência e o extrato.

use crate::oficina::{Defeito, Teste, no, por};

const LIVRO: &str = "servidor/src/livro.rs";
const SISTEMA: &str = "servidor/src/sistema/unix.rs";
const ARQUIVO: &str = "servidor/src/livro/arquivo.rs";
const VIGIA: &str = "servidor/src/livro/vigia.rs";
const FAXINA: &str = "servidor/src/livro/faxina.rs";
const RESUMO: &str = "servidor/src/extrato/resumo.rs";
const CONFERENCIA: &str = "servidor/src/livro/conferencia.rs";

const fn do_livro(nome: &'static str) -> Teste {
    Teste::Alvo("servidor", "livro", nome)
}

pub const DEFEITOS: &[Defeito] = &[
    // O que se firma.
    por(
        do_livro("cada_turno_tem_a_hora_dele"),
        LIVRO,
        "o instante é sempre o da primeira venda",
        "        let agora = agora();\n        let primeira",
        "        static PRIMEIRO: std::sync::OnceLock<String> = std::sync::OnceLock::new();\n        let agora = PRIMEIRO.get_or_init(agora);\n        let primeira",
    ),
    por(
        do_livro("se_lembra_de_cada_pedido"),
        LIVRO,
        "a recusa não vai ao livro",
        "                continue;\n            }\n            let linha",
        "            }\n            continue;\n            #[allow(unreachable_code)]\n            let linha",
    ),
    por(
        do_livro("se_lembra_de_cada_pedido"),
        LIVRO,
        "o id fica com a venda anterior",
        "let venda = primeira + *lugar as u64;",
        "let venda = primeira + *lugar as u64 - 1;",
    ),
    por(
        do_livro("recusas_mais_antigas"),
        LIVRO,
        "as recusas não se esquecem",
        "- RECUSAS_GUARDADAS as i64",
        "- i64::MAX",
    ),
    por(
        do_livro("formato_1"),
        ARQUIVO,
        "um livro velho não ganha o lugar dos pedidos",
        "ensaio.execute_batch(DO_FORMATO_2)?;",
        "",
    ),
    por(
        do_livro("o_que_outro_escreve_enquanto"),
        LIVRO,
        "a transação só se tranca ao escrever",
        "self.faxina.terminar(&self.banco, self.vigia.visto())?;\n        let transacao = self.banco.transaction_with_behavior(TransactionBehavior::Immediate)?;\n        self.vigia.conferir()?;\n        let guarda",
        "self.faxina.terminar(&self.banco, self.vigia.visto())?;\n        let transacao = self.banco.transaction_with_behavior(TransactionBehavior::Deferred)?;\n        self.vigia.conferir()?;\n        let guarda",
    ),
    por(
        do_livro("repor_fica_anotado"),
        LIVRO,
        "a reposição não é confirmada",
        "        transacao.commit()?;\n        self.contas.repostas += unidades;",
        "        drop(transacao);\n        self.contas.repostas += unidades;",
    ),
    por(
        do_livro("o_que_se_firmou_esta_la"),
        LIVRO,
        "as vendas não são confirmadas",
        "        transacao.commit()?;\n        self.vigia.assinalar(self.contas.vendidas)?;\n        self.faxina",
        "        drop(transacao);\n        self.vigia.assinalar(self.contas.vendidas)?;\n        self.faxina",
    ),
    por(
        do_livro("quem_escreve_por_fora"),
        LIVRO,
        "não se confere antes de escrever",
        "        self.vigia.conferir()?;\n        let guarda",
        "        let guarda",
    ),
    por(
        do_livro("um_livro_trocado_enquanto"),
        LIVRO,
        "não se confere depois de escrever",
        "        self.vigia.assinalar(self.contas.vendidas)?;\n        self.faxina",
        "        self.faxina",
    ),
    por(
        do_livro("fechar_um_livro_que_trocaram"),
        LIVRO,
        "fechar não confere nada",
        "        self.vigia.conferir().map_err(|problema| self.parar(problema))?;\n        Ok(self.contas)",
        "        Ok(self.contas)",
    ),
    por(
        do_livro("um_livro_trocado_enquanto"),
        LIVRO,
        "quem para apaga o WAL",
        "        let _ = self.banco.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);\n",
        "",
    ),
    por(
        do_livro("repor_pede_um_livro_que_exista"),
        LIVRO,
        "repor cria o livro que não existe",
        "        let arquivo = caminho.metadata().map_err(|erro| com_o_caminho(erro.into()))?;\n        if arquivo.len() == 0 {",
        "        if false {",
    ),
    por(
        Teste::Unidade("servidor", "um_ip_e_um_comprador"),
        RESUMO,
        "cada conexão é um comprador",
        "|endereco: SocketAddr| endereco.ip().to_string())",
        "|endereco: SocketAddr| endereco.to_string())",
    ),
    por(
        do_livro("o_resumo_diz_as_contas"),
        RESUMO,
        "a primeira venda é a última",
        "self.primeira.get_or_insert_with(|| instante.to_owned());",
        "self.primeira = Some(instante.to_owned());",
    ),
    por(
        do_livro("repor_pede_um_livro_que_exista"),
        LIVRO,
        "a soma das reposições não tem limite",
        "total.is_some_and(|total| total <= UNIDADES_MAXIMAS)",
        "total.is_some_and(|total| total < u64::MAX)",
    ),
    por(
        no("livro", "fechar_com_um_leitor"),
        LIVRO,
        "não se diz que o WAL ficou",
        ".filter(|wal| arquivo::tem_bytes(wal))",
        ".filter(|_| false)",
    ),
    // Como se abre.
    por(
        no("livro", "nenhuma_resposta_sai_antes"),
        ARQUIVO,
        "o disco não é esperado",
        "\"synchronous\", \"full\"",
        "\"synchronous\", \"off\"",
    ),
    por(
        no("livro", "nenhuma_resposta_sai_antes"),
        ARQUIVO,
        "a venda não espera o disco",
        "\"synchronous\", \"full\"",
        "\"synchronous\", \"normal\"",
    ),
    por(
        no("livro", "depois_de_uma_queda_as_vendas"),
        ARQUIVO,
        "depois de uma queda nada passa para o arquivo",
        "    if houve_queda {\n",
        "    if houve_queda && modo.is_empty() {\n",
    ),
    por(
        do_livro("a_venda_espera_um_pouco"),
        ARQUIVO,
        "não se espera por quem escreve",
        "banco.busy_timeout(ESPERA_POR_OUTRO_PROGRAMA)?;",
        "banco.busy_timeout(Duration::ZERO)?;",
    ),
    por(
        do_livro("um_livro_novo_e_so_do_dono"),
        SISTEMA,
        "todos leem o livro",
        ".mode(0o600)",
        ".mode(0o644)",
    ),
    por(
        do_livro("por_um_atalho"),
        ARQUIVO,
        "um atalho separa o livro dos outros arquivos",
        "Ok((arquivo, tranca, caminho.canonicalize()?))",
        "Ok((arquivo, tranca, caminho.to_owned()))",
    ),
    por(
        do_livro("um_livro_vazio_nao_apaga"),
        ARQUIVO,
        "um livro novo apaga o WAL de outro",
        "if vazio && tem_bytes(&wal) {",
        "if vazio && tem_bytes(&wal) && estoque == Some(12346) {",
    ),
    por(
        do_livro("o_arquivo_sem_o_wal"),
        ARQUIVO,
        "abre-se sem o WAL",
        "if let Some(wal) = wal_que_falta(arquivo, caminho)? {",
        "if let Some(wal) = wal_que_falta(arquivo, caminho)?.filter(|_| vazio) {",
    ),
    por(
        do_livro("um_wal_encurtado"),
        ARQUIVO,
        "um WAL encurtado serve",
        "contas.vendidas < marca.vendidas",
        "contas.vendidas > marca.vendidas",
    ),
    por(
        do_livro("abrir_com_outro_estoque"),
        ARQUIVO,
        "outro estoque, maior, é aceito",
        "filter(|pedido| *pedido != contas.inicial)",
        "filter(|pedido| *pedido < contas.inicial)",
    ),
    por(
        do_livro("um_formato_mais_novo"),
        ARQUIVO,
        "um formato mais novo é aceito",
        "if formato > FORMATO {",
        "if formato > FORMATO + 9 {",
    ),
    por(
        do_livro("uma_criacao_interrompida"),
        ARQUIVO,
        "uma criação interrompida se lê como livro",
        "            if tem_bytes(&ao_lado(caminho, \"-journal\")) {\n                return Err(Problema::PelaMetade);",
        "            if tem_bytes(&ao_lado(caminho, \"-jornal\")) {\n                return Err(Problema::PelaMetade);",
    ),
    por(
        do_livro("um_livro_aberto_nao_se_abre"),
        ARQUIVO,
        "dois servidores abrem o mesmo livro",
        "            Ok(()) => return Ok(()),\n            Err(TryLockError::Error(erro)) => return Err(erro.into()),\n            Err(TryLockError::WouldBlock) => {}\n",
        "            Ok(()) | Err(TryLockError::WouldBlock) => return Ok(()),\n            Err(TryLockError::Error(erro)) => return Err(erro.into()),\n",
    ),
    por(
        do_livro("o_que_nao_e_um_livro"),
        ARQUIVO,
        "um banco de outro programa serve de livro",
        "            if formato > FORMATO { Err(Problema::MaisNovo(formato)) } else { Ok(true) }\n        }\n        _ => Err(Problema::NaoELivro),",
        "            if formato > FORMATO { Err(Problema::MaisNovo(formato)) } else { Ok(true) }\n        }\n        _ => Ok(cabecalho.starts_with(b\"SQLite\")),",
    ),
    por(
        no("livro", "um_cano_ou_um_dispositivo"),
        ARQUIVO,
        "um dispositivo serve de livro",
        "Ok(dele) if !dele.is_file() => Err(Problema::NaoEArquivo),",
        "Ok(dele) if !dele.is_file() => Ok(()),",
    ),
    // A vigia.
    por(
        do_livro("o_arquivo_sem_o_wal"),
        VIGIA,
        "qualquer WAL é o deste livro",
        "lido.is_ok() && sal == self.sal",
        "lido.is_ok()",
    ),
    por(
        do_livro("um_livro_trocado_enquanto"),
        SISTEMA,
        "outro arquivo com o mesmo nome serve",
        "(arquivo.dev(), arquivo.ino())",
        "(arquivo.dev(), 0)",
    ),
    por(
        do_livro("quem_escreve_por_fora"),
        VIGIA,
        "o que outro programa escreve não se nota",
        "if agora.mudancas != self.visto.mudancas {",
        "if agora.mudancas < self.visto.mudancas {",
    ),
    por(
        no("livro", "a_marca_fica_firme"),
        VIGIA,
        "a marca não espera o disco",
        "        self.arquivo.sync_data()?;\n        (self.tamanho",
        "        (self.tamanho",
    ),
    por(
        do_livro("um_livro_trocado_enquanto"),
        VIGIA,
        "um livro encurtado não se nota",
        "            if !tudo_passado {\n",
        "            if !tudo_passado && tamanho > self.tamanho {\n",
    ),
    por(
        do_livro("quem_passa_o_wal_a_limpo_por_fora"),
        VIGIA,
        "quem passa o WAL a limpo faz parar",
        "            if !tudo_passado {\n",
        "            if tamanho < u64::MAX {\n",
    ),
    por(
        do_livro("o_arquivo_sem_o_wal"),
        VIGIA,
        "o livro nunca é marcado",
        "        vigia.marcar(vendidas)?;\n        Ok(vigia)",
        "        let _ = vendidas;\n        Ok(vigia)",
    ),
    por(
        do_livro("um_wal_encurtado"),
        VIGIA,
        "a marca não diz quantas vendas havia",
        "marca[24..].copy_from_slice(&vendidas.to_be_bytes());",
        "marca[24..].copy_from_slice(&(vendidas * 0).to_be_bytes());",
    ),
    // A faxina.
    por(
        no("livro", "sem_leitores_o_wal_nao_passa"),
        FAXINA,
        "nunca se faz faxina",
        "if wal.quadros < self.proxima {",
        "if wal.quadros < u32::MAX {",
    ),
    por(
        no("livro", "um_leitor_parado_e_dito"),
        FAXINA,
        "não se diz que o WAL cresce",
        "} else if presos >= *aviso {",
        "} else if presos >= *aviso * 99 {",
    ),
    // A conferência.
    por(
        do_livro("um_livro_que_nao_fecha"),
        CONFERENCIA,
        "faltarem vendas no meio não é dano",
        "} else if i128::from(numero) != i128::from(vendidas) {",
        "} else if i128::from(numero) < i128::from(vendidas) {",
    ),
    por(
        do_livro("um_livro_que_nao_fecha"),
        CONFERENCIA,
        "um restante menor do que devia não é dano",
        "} else if i128::from(restante) != entraram - i128::from(numero) {",
        "} else if i128::from(restante) > entraram - i128::from(numero) {",
    ),
    por(
        do_livro("repor_fica_anotado"),
        CONFERENCIA,
        "uma reposição conta antes da venda que a precede",
        "*depois < numero",
        "*depois <= numero",
    ),
    por(
        do_livro("paginas_estragadas"),
        CONFERENCIA,
        "páginas estragadas não são dano",
        "(paginas? != \"ok\")",
        "(paginas?.is_empty())",
    ),
    por(
        do_livro("um_livro_que_nao_fecha"),
        CONFERENCIA,
        "uma quantidade negativa não é dano",
        "\"SELECT 1 FROM estoque WHERE unidades < 0\"",
        "\"SELECT 1 FROM estoque WHERE unidades < -999999\"",
    ),
    por(
        do_livro("um_livro_que_nao_fecha"),
        CONFERENCIA,
        "dois começos não são dano",
        "WHERE tipo = 'inicial') <> 1",
        "WHERE tipo = 'inicial') < 1",
    ),
];
